"""What searches have in common: which lifecycle they look at, and the tokens of their pages."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

from mlwright.errors import UsageError
from mlwright.model.filter_subjects import LOGGED_MODELS
from mlwright.model.filters import Kind, Order, parse_order

_LONGEST_TOKEN: Final = 1_000_000
_LARGEST: Final = 2**63 - 1

Mark: TypeAlias = str | int | float | None
"""A value that a page ended with."""


class View(StrEnum):
    """Which of active and deleted things a search finds; the words are those of the MLflow protocol."""

    ACTIVE_ONLY = "ACTIVE_ONLY"
    DELETED_ONLY = "DELETED_ONLY"
    ALL = "ALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOn:
    """A data set that metrics of logged models are taken from; any digest of it where none is given."""

    dataset: str
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """One key to order logged models by; ``on`` narrows a metric to what was measured on a data set."""

    order: Order
    on: MeasuredOn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetUse:
    """That runs of an experiment used a data set, and as what (tag ``mlflow.data.context``)."""

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


def parse_model_order(
    field_name: str, *, ascending: bool = True, dataset: str | None = None, digest: str | None = None
) -> ModelOrder:
    """Read what to order logged models by: an attribute, or ``metrics.`` and whatever the metric is called.

    Raises:
        UsageError: logged models cannot be ordered by it, or a digest is given without its data set.
    """
    if digest and not dataset:
        raise UsageError("dataset_digest is given without dataset_name", where="order_by")
    on = MeasuredOn(dataset=dataset, digest=digest or None) if dataset else None
    entity, dot, key = field_name.partition(".")
    if dot and key and entity in ("metrics", "metric"):
        # MLflow takes the rest as it is; quotes around it are those of a filter.
        if len(key) > 2 and key[0] == key[-1] and key[0] in "`\"'":
            key = key[1:-1]
        _refuse_no_text(key)
        return ModelOrder(order=Order(kind=Kind.METRIC, key=key, ascending=ascending), on=on)
    (order,) = parse_order([field_name], LOGGED_MODELS)
    return ModelOrder(order=Order(kind=order.kind, key=order.key, ascending=ascending), on=on)


def query_digest(*parts: object) -> str:
    """A short digest of what was asked for, so that the token of one search is refused by another one."""
    return blake2b(repr(parts).encode(errors="backslashreplace"), digest_size=6).hexdigest()


def write_token(query: str, marks: Sequence[Mark]) -> str:
    """The token of the page that begins after these values."""
    return base64.urlsafe_b64encode(json.dumps([query, *marks]).encode()).decode("ascii")


def read_token(token: str, query: str, kinds: Sequence[type]) -> tuple[Mark, ...]:
    """The values that the page before ended with.

    Args:
        token: what a search returned.
        query: the digest of the search that asks now.
        kinds: of the values in turn, each ``str``, ``int`` or ``float``; None may stand for any of them.

    Raises:
        UsageError: the token is none that this search returned.
    """
    why = "a token goes with the search that returned it: the same experiments, filter and order"
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError("it is too long")
        found = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != query:
            raise ValueError("it is of another search")
        marks = tuple(_mark(each, kind) for each, kind in zip(found[1:], kinds, strict=True))
    except (ValueError, RecursionError) as fault:
        raise UsageError("this is no page token of this search", where="page_token", why=why) from fault
    return marks


def _mark(value: object, kind: type) -> Mark:
    if value is None:
        return None
    if kind is str and isinstance(value, str):
        _refuse_no_text(value)
        return value
    if kind is not str and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    if kind is float and isinstance(value, float):
        return value
    raise ValueError("a value is of another kind")


def _refuse_no_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise UsageError("a character that is no text stands in it", where="search")
