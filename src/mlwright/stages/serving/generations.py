"""The models behind an endpoint: which are in force, who still uses those that were, and when they are closed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np

from mlwright.model.batches import Batch, batch_of
from mlwright.model.endpoints import Route, Variant
from mlwright.model.registry import Field
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.inputs import Intake
from mlwright.stages.serving.values import BoundChecks

_MOST_REMEMBERED: Final = 100_000


@dataclass(slots=True)
class Held:
    """A model in memory, and how many generations need it."""

    model: LoadedModel
    users: int = 0
    example: Batch | None = None
    """Rows that it is known to answer; None: there are none."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A variant with its model, and what every answer of it says."""

    variant: Variant
    held: Held
    name: str
    ref: str
    fields: tuple[Field, ...]
    whole: bool
    """Whether its model takes the batch as it is; else ``fields`` of it."""
    typed: bool
    """Whether the batch has ``fields`` in the types that its model declares."""

    @property
    def model(self) -> LoadedModel:
        """What answers."""
        return self.held.model

    def batch(self, batch: Batch) -> Batch:
        """What the model takes of the batch.

        Raises:
            SignatureMismatch: a column that it needs was not sent, or has another type.
        """
        sent = batch.columns if batch.matrix is None else batch.names
        if self.whole and (len(sent) == len(self.fields) or not self.fields):
            return batch
        names = tuple(each.name for each in self.fields)
        if self.typed and batch.matrix is not None and set(names) <= set(batch.names):
            chosen = batch.matrix[:, [batch.names.index(name) for name in names]]
            return Batch(batch.rows, matrix=np.ascontiguousarray(chosen), names=names)
        columns = {name: batch.column(name) for name in names if batch.has(name)}
        typed = batch_of(self.fields, columns)
        return typed if typed.columns else Batch(batch.rows)


@dataclass(slots=True)
class Generation:
    """Everything one route needs; batches in flight keep the one they started with."""

    route: Route
    arms: tuple[Arm, ...]
    form: Form | None
    """None: the endpoint is unloaded."""
    intake: Intake
    checks: BoundChecks
    previous: Arm | None
    """The champion before, where a fallback keeps it."""
    only: int | None
    """The one variant that answers everybody, where there is one."""
    chosen: dict[str, int] = field(default_factory=dict)
    flying: int = 0
    retired: bool = False

    @property
    def held(self) -> Iterator[Held]:
        """The models that it needs."""
        yield from (arm.held for arm in self.arms)
        if self.previous is not None:
            yield self.previous.held

    def split(self, keys: Sequence[str], *, known: bool) -> list[int]:
        """The index of the variant that answers each key. ``known`` keys come again: they are remembered."""
        if self.only is not None:
            return [self.only] * len(keys)
        variants, variant_of = self.route.variants, self.route.variant_of
        if not known:
            return [variants.index(variant_of(key)) for key in keys]
        chosen = self.chosen
        if len(chosen) > _MOST_REMEMBERED:
            chosen.clear()
        split = []
        for key in keys:
            index = chosen.get(key)
            if index is None:
                index = chosen[key] = variants.index(variant_of(key))
            split.append(index)
        return split


class Generations:
    """The generation in force. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: Generation | None = None

    @property
    def now(self) -> Generation | None:
        """The one in force."""
        return self._now

    def enter(self) -> Generation | None:
        """The one in force, whose models stay open until :meth:`leave`."""
        with self._lock:
            generation = self._now
            if generation is not None:
                generation.flying += 1
        return generation

    def leave(self, generation: Generation | None) -> None:
        """The batch that entered is done."""
        if generation is None:
            return
        with self._lock:
            generation.flying -= 1
            unused = _let_go(generation) if generation.retired else ()
        if unused:
            _close(unused)

    def swap(self, new: Generation) -> None:
        """Put one in force. The models that only the old one needed are closed when its last batch is done."""
        with self._lock:
            old, self._now = self._now, new
            for held in new.held:
                held.users += 1
            unused = []
            if old is not None:
                old.retired = True
                unused = _let_go(old)
        _close(unused)


def _let_go(generation: Generation) -> list[LoadedModel]:
    """The models that nobody needs any more. Called under the lock."""
    if not generation.retired or generation.flying:
        return []
    unused = []
    for held in generation.held:
        held.users -= 1
        if not held.users:
            unused.append(held.model)
    return unused


def _close(models: Sequence[LoadedModel]) -> None:
    for model in models:
        with suppress(Exception):  # it is of no use any more, whatever it says
            model.close()


def loaded(generation: Generation | None) -> Mapping[tuple[str, int], Held]:
    """The models of a generation by name and version."""
    if generation is None:
        return {}
    arms = [*generation.arms, *([generation.previous] if generation.previous else [])]
    return {(arm.variant.model, arm.variant.version): arm.held for arm in arms}
