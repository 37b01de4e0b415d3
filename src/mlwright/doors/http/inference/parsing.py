"""What all protocols of predictions share on the way in: ids, deadlines, JSON, who and when, and what is missing.

A protocol turns a body into columns (or one matrix) and leaves the rest to :func:`ask_of` and :func:`settle`. Whether
the values are those of the contract is not looked at here: the core does, by the policy of the endpoint.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from math import inf
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from mlwright.doors.http.inference.answering import REQUEST_ID
from mlwright.doors.http.inference.cells import MOST_FAULTS, first, instant, shown
from mlwright.doors.http.inference.exchange import Request, Response
from mlwright.errors import BadRequest, Fault, near_match
from mlwright.model.batches import Array
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Answer, Ask, Column
from mlwright.stages.serving.form import Form

Encode: TypeAlias = Callable[[Answer], Response]
"""Writes the answer to the request that it was made for."""

Parse: TypeAlias = Callable[[Request, Form], tuple[Ask, Encode]]
"""Reads a request. It raises ``BadRequest``, ``SignatureMismatch`` and ``Unsupported``, and nothing else."""

T = TypeVar("T")

DEADLINE: Final = "x-mlwright-deadline-ms"
"""How many milliseconds after its arrival a request is of no use any more."""
ENTITY: Final = "x-mlwright-entity"
EVENT_TIME: Final = "x-mlwright-event-time"
"""Microseconds since 1970 UTC, or a time in ISO 8601."""
EXACT: Final = 2**53
"""Whole numbers from here on are not exact as floats."""

_SHOWN: Final = 40
_ID: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_WIDE: Final = frozenset({"long", "uint64"})

_TEXT: Final = frozenset({str})
_WHOLE: Final = frozenset({int})

_prefix = os.urandom(8).hex()
_next = count().__next__
"""The id of a request is the prefix and a count: no other request of any process has it (0.2 µs)."""


def _forked() -> None:
    global _prefix
    _prefix = os.urandom(8).hex()


os.register_at_fork(after_in_child=_forked)  # or two workers would give the same ids


@dataclass(frozen=True, slots=True)
class Plan:
    """What parsing needs of a form, worked out once."""

    form: Form
    fields: Mapping[str, Field]
    """The inputs, then entity and timestamp, by name."""
    names: tuple[str, ...]
    width: int
    """The number of columns of a matrix; 0 where rows of numbers are no way to send this form."""
    exact: bool
    """Whether an input is a whole number of 64 bits, which a float does not hold exactly."""
    truths: frozenset[str]
    """The inputs that are booleans: in a tensor of numbers they are 0 and 1."""

    @classmethod
    def of(cls, form: Form) -> "Plan":
        """Work it out."""
        fields = {each.name: each for each in form.inputs}
        fields.setdefault(form.entity, Field(name=form.entity, type="string", required=False))
        fields.setdefault(form.timestamp, Field(name=form.timestamp, type="long", required=False))
        wide = any(each.type in _WIDE for each in form.inputs)
        truths = frozenset(each.name for each in form.inputs if each.type == "boolean")
        return cls(form, fields, form.names, len(form.inputs) if form.matrix else 0, wide, truths)


class Kept(Generic[T]):
    """What was compiled from the form in force of each endpoint. A new form takes the place of the old one."""

    def __init__(self, build: Callable[[Form], T]) -> None:
        self._build = build
        self._kept: dict[str, tuple[Form, T]] = {}

    def of(self, form: Form) -> T:
        """The compiled form; 0.1 µs once it is known."""
        kept = self._kept.get(form.endpoint)
        if kept is not None and kept[0] is form:
            return kept[1]
        built = kept[1] if kept is not None and kept[0] == form else self._build(form)
        self._kept[form.endpoint] = (form, built)
        return built


def decode(body: bytes) -> Any:
    """JSON as Python's values; ``NaN`` and ``Infinity`` are read as well, which Python's clients write.

    Raises:
        BadRequest: it is not JSON.
    """
    try:
        return _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_nan(body, error)


_decode_any: Final = msgspec.json.Decoder().decode


def _decode_nan(body: bytes, first: Exception) -> Any:
    if b"NaN" in body or b"Infinity" in body:
        try:
            value = json.loads(body)
            msgspec.json.encode(value)  # half a surrogate passes the former and no database later on
            return value
        except (ValueError, RecursionError, OverflowError):
            pass
    raise BadRequest("the body is not JSON", why=str(first)[:200]) from first


def decode_as(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """JSON of one form.

    Raises:
        BadRequest: it is not JSON, or not of this form; the fault names the path.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise not_of_form(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        value = _decode_nan(body, error)
        try:
            converted: T = msgspec.convert(value, decoder.type)
        except msgspec.ValidationError as invalid:
            raise not_of_form(invalid) from invalid
        return converted


def not_of_form(error: msgspec.ValidationError) -> BadRequest:
    """What msgspec says, as an error of ours."""
    what, _, path = str(error).partition(" - at ")
    return BadRequest(
        "the body does not have the form of this call",
        faults=[Fault(where=path.strip("`") or "$", what=what)],
    )


def refused(faults: Sequence[Fault]) -> BadRequest:
    """The error that lists them, at most twenty."""
    return BadRequest("the request cannot be served as it is", faults=faults[:MOST_FAULTS])


def ask_of(
    request: Request,
    form: Form,
    rows: int,
    columns: Mapping[str, Column] | None = None,
    matrix: Sequence[Sequence[float]] | Array | None = None,
    keys: Any = None,
    times: Any = None,
    timeout_us: object = None,
) -> Ask:
    """The ask of parsed rows: what the headers say, and whether entity and time are there where they have to be.

    ``keys`` and ``times`` are as the client sent them; ``timeout_us`` is Triton's parameter.

    Raises:
        BadRequest: an entity, a time, a deadline or an id is missing or cannot be right.
    """
    headers = request.headers
    deadline = inf
    named = headers.get(REQUEST_ID)
    if timeout_us is not None or DEADLINE in headers:
        deadline = deadline_of(request, timeout_us)
    if keys is not None or times is not None or form.keyed or ENTITY in headers or EVENT_TIME in headers:
        keys, times = _who_and_when(headers, form, rows, keys, times)
    return Ask(
        id=f"{_prefix}{_next():x}" if named is None else _named(named),
        rows=rows,
        columns=columns if columns is not None else {},
        matrix=matrix,
        keys=keys,
        times=times,
        deadline=deadline,
        client=request.client,
        trace=headers.get("traceparent", ""),
    )


def _named(id: str) -> str:
    """The id that the client gives to its request, so that one sent again stands in the place of the first."""
    if _ID.fullmatch(id) is None:
        what = f"must be 1 to 128 letters, digits, '.', '_', ':' and '-', not {id[:_SHOWN]!r}"
        raise refused([Fault(where=REQUEST_ID, what=what)])
    return id


def settle(
    request: Request,
    plan: Plan,
    given: Mapping[str, Column | None],
    faults: list[Fault],
    *,
    parameters: Mapping[str, object] | None = None,
) -> Ask:
    """The ask of named columns, carefully: every fault is found, those of the caller included.

    A column of ``given`` that is None could not be read; ``faults`` say why.

    Raises:
        BadRequest: with all ``faults``, names that are missing or that nobody asked for, and columns that differ in
            length.
    """
    form = plan.form
    sent = tuple(given)
    columns = {name: column for name, column in given.items() if column is not None}
    said = parameters or {}
    keys: Any = columns.pop(form.entity, None)
    times: Any = columns.pop(form.timestamp, None)
    if form.inputs:
        faults += _names(plan, sent)
    lengths = {name: len(column) for name, column in columns.items()}
    for name, column in ((form.entity, keys), (form.timestamp, times)):
        if column is not None:
            lengths[name] = len(column)
    rows = max(lengths.values(), default=0)
    if lengths and len(set(lengths.values())) > 1:
        most = max(lengths, key=lambda name: lengths[name])
        other = ((name, length) for name, length in lengths.items() if length != rows)
        faults += [
            Fault(where=name[:_SHOWN], what=f"{length} values, but {most[:_SHOWN]!r} has {rows}")
            for name, length in islice(other, MOST_FAULTS)
        ]
    elif not rows and not faults:
        faults.append(Fault(where="$", what="no rows were sent"))
    keys = said.get("entity") if keys is None else keys
    times = said.get("timestamp") if times is None else times
    try:
        ask = ask_of(request, form, rows, columns, None, keys, times, said.get("timeout"))
    except BadRequest as error:
        faults += error.faults
        raise refused(faults) from error
    if faults:
        raise refused(faults)
    return ask


def _names(plan: Plan, sent: Sequence[str]) -> list[Fault]:
    """Inputs that are missing, and what nobody asked for."""
    unknown = [name for name in sent if name not in plan.fields]
    there = frozenset(sent)
    missing = (each for each in plan.form.inputs if each.required and each.name not in there)
    faults = [
        Fault(
            where=each.name,
            what=f"the model needs this {each.type}; it was not sent",
            near=near_match(each.name, unknown),
        )
        for each in islice(missing, MOST_FAULTS)
    ]
    if plan.form.extra == "reject":
        faults += [
            Fault(where=name[:_SHOWN], what="nobody asked for this", near=near_match(name, plan.fields))
            for name in islice(unknown, MOST_FAULTS)
        ]
    return faults


def deadline_of(request: Request, timeout_us: object = None) -> float:
    """When the answer is of no use any more, by the header and by Triton's ``timeout`` (microseconds; 0 is none).

    Raises:
        BadRequest: one of them is not a positive number.
    """
    deadline = inf
    told = request.headers.get(DEADLINE)
    if told is not None:
        try:
            milliseconds = float(told)
        except ValueError:
            milliseconds = -1.0
        if not 0 < milliseconds < inf:
            raise refused([Fault(where=DEADLINE, what=f"must be a positive number, not {told[:_SHOWN]!r}")])
        deadline = request.received + milliseconds / 1e3
    if timeout_us is not None:
        if type(timeout_us) is not int or not 0 <= timeout_us < 2**63:
            what = f"must be whole microseconds, not {shown(timeout_us)}"
            raise refused([Fault(where="parameters.timeout", what=what)])
        if timeout_us:
            deadline = min(deadline, request.received + timeout_us / 1e6)
    return deadline


def _who_and_when(
    headers: Mapping[str, str], form: Form, rows: int, keys: Any, times: Any
) -> tuple[list[str] | None, list[int] | None]:
    if (
        type(keys) is list
        and type(times) is list
        and len(keys) == len(times) == rows
        and _TEXT.issuperset(map(type, keys))
        and _WHOLE.issuperset(map(type, times))
    ):
        return keys, times
    faults: list[Fault] = []
    for name, header in ((form.entity, ENTITY), (form.timestamp, EVENT_TIME)):
        if header in headers and rows != 1 and (keys if header == ENTITY else times) is None:
            faults.append(
                Fault(where=header, what=f"names one row, but {rows} were sent: send {name!r} by row")
            )
    if keys is None:
        keys = headers.get(ENTITY)
    if times is None:
        told = headers.get(EVENT_TIME)
        times = None if told is None else instant(told)
        if told is not None and times is None:
            faults.append(Fault(where=EVENT_TIME, what=f"{told[:_SHOWN]!r} is no time"))
    keys = _listed(keys)
    times = _listed(times)
    for name, found, wanted, kind in ((form.entity, keys, str, "text"), (form.timestamp, times, int, "long")):
        if found is None:
            if form.keyed and not any(fault.where == EVENT_TIME for fault in faults):
                faults.append(Fault(where=name, what=f"this {kind} has to be sent for every row"))
        elif len(found) != rows and not faults:
            faults.append(Fault(where=name, what=f"{len(found)} values for {rows} rows"))
        elif {wanted} != set(map(type, found)):
            faults += first(
                Fault(where=f"{name}[{row}]", what=_not_a(kind, value))
                for row, value in enumerate(found)
                if type(value) is not wanted
            )
    if faults:
        raise refused(faults)
    return keys, times


def _not_a(kind: str, value: object) -> str:
    if value is None:
        return "must not be null"
    return f"must be a {kind}{', microseconds since 1970 UTC' * (kind == 'long')}, not {shown(value)}"


def _listed(value: Any) -> list[Any] | None:
    if value is None or isinstance(value, list):
        return value
    return value.tolist() if hasattr(value, "tolist") else [value]
