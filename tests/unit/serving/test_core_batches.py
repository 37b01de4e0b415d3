"""Whatever is asked together, each gets exactly what it would get alone, and the log holds each row once."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlwright.model.batches import Batch
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EdgeSettings, ServingSettings
from mlwright.model.value_rules import ValueRule
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.values import ValueChecks

FORMS = {
    "doubles": (Field(name="a", type="double"), Field(name="b", type="double", required=False)),
    "floats": (Field(name="a", type="float"), Field(name="b", type="float", required=False)),
    "mixed": (
        Field(name="a", type="long"),
        Field(name="b", type="string", required=False),
        Field(name="c", type="boolean", required=False),
    ),
    "tensor": (Field(name="a", type="float", shape=(-1,)), Field(name="b", type="double", required=False)),
}


class Witness:
    """A model that tells of each row what it saw of it, down to the type; 13 is poison to it."""

    def __init__(self, fields, version) -> None:
        self.signature = Signature(inputs=fields, outputs=(Field(name="seen", type="string"),))
        self.version = version
        self.rows = 0

    def infer(self, batch: Batch):
        self.rows += batch.rows
        columns = {
            each.name: batch.column(each.name) for each in self.signature.inputs if batch.has(each.name)
        }
        said = [
            " ".join(
                f"{name}:{column.dtype}={column[row : row + 1].tolist()!r}"
                for name, column in columns.items()
            )
            for row in range(batch.rows)
        ]
        if any(np.any(column == 13) for column in columns.values()):
            raise RuntimeError("poison")
        seen = np.empty(batch.rows, dtype=object)
        seen[:] = [f"{self.version} {each}" for each in said]
        return {"seen": seen}

    def close(self) -> None: ...


class Memory:
    """A log that keeps its blocks."""

    def __init__(self) -> None:
        self.blocks = []

    def append(self, *blocks, refuse=False) -> None:
        self.blocks += blocks

    def roll(self) -> None: ...

    def close(self) -> None: ...


NUMBERS = st.one_of(st.floats(-12, 12, width=32), st.integers(-12, 12))
VALUES = {
    "double": st.one_of(NUMBERS, NUMBERS.map(np.float64)),
    "float": NUMBERS,
    "long": st.one_of(st.integers(-12, 12), st.integers(2**53, 2**60), st.none()),
    "boolean": st.one_of(st.booleans(), st.none()),
    "string": st.sampled_from(["x", "y", "", None]),
}
OUTSIDE = {"double": [13, 16.0, None], "float": [13.0, 99, None], "long": [13, -16], "string": ["zz", "xxxx"]}
WRONG = [object(), [], "wrong", {}, True, 2**2000]


@st.composite
def columns(draw, each: Field, rows: int, clean: bool):
    if each.shape:
        width = 2 if clean else draw(st.integers(1, 3))
        return [[draw(st.floats(-9, 9, width=32)) for _ in range(width)] for _ in range(rows)]
    values = [draw(VALUES[each.type]) for _ in range(rows)]
    if not clean and rows and draw(st.booleans()):
        bad = draw(st.sampled_from([*WRONG, *OUTSIDE.get(each.type, [])]))
        values[draw(st.integers(0, rows - 1))] = bad
    if all(type(value) is float for value in values) and draw(st.integers(0, 3)) == 0:
        return np.array(values)
    return values[:-1] if not clean and draw(st.integers(0, 9)) == 0 else values


@st.composite
def batches(draw):
    form = draw(st.sampled_from(sorted(FORMS)))
    fields = FORMS[form]
    spoilt, uniform = draw(st.sets(st.integers(0, 6), max_size=2)), draw(st.booleans())
    asks = []
    for number in range(draw(st.integers(1, 7))):
        clean = number not in spoilt
        rows = draw(st.integers(int(clean), 4)) if draw(st.booleans()) else 1
        keys = [draw(st.text(min_size=int(clean), max_size=3)) for _ in range(rows)]
        heads = {"keys": keys, "times": [1] * rows} if uniform or draw(st.booleans()) else {}
        sent = {
            each.name: draw(columns(each, rows, clean))
            for each in fields
            if each.required or uniform or draw(st.booleans())
        }
        if form in ("doubles", "floats") and len(sent) == 2 and draw(st.booleans()):
            matrix = [list(row) for row in zip(*sent.values(), strict=False)]
            asks.append(Ask(id=f"r{number}", rows=rows, matrix=matrix, **heads))
        else:
            asks.append(Ask(id=f"r{number}", rows=rows, columns=sent, **heads))
    return form, asks


def told(outcome):
    if isinstance(outcome, Answer):
        return (
            {name: (output.dtype.str, output.tolist()) for name, output in outcome.outputs.items()},
            list(outcome.variants),
            list(outcome.versions),
            list(outcome.flags),
        )
    return str(outcome)


PAIRS = {}


def pair(kit, spec, clock, form, shares, invalid):
    """Two equal cores with their empty logs, made once: to put a route in force takes longer than all else here."""
    fields, edge = FORMS[form], EdgeSettings(invalid=invalid, impute={"a": 7})
    rules = [ValueRule(field="b", maximum=15.0, nullable=False)]
    if form == "mixed":
        rules = [
            ValueRule(field="a", minimum=-15),
            ValueRule(field="b", allowed=("x", "y", ""), max_length=3),
        ]
    checks = ValueChecks(rules, edge)
    free = replace(spec, keyed=False, serving=ServingSettings(edge=edge))

    def made():
        log = Memory()
        core = EndpointCore(
            free, [], None, lambda each: Witness(fields, each.version), log, clock, checks=checks
        )
        core.apply(kit.route(*(kit.variant(f"v{at + 1}", at + 1, share) for at, share in enumerate(shares))))
        return core, log

    found = PAIRS.setdefault((form, shares, invalid), None) or (made(), made())
    PAIRS[form, shares, invalid] = found
    for _, log in found:
        log.blocks.clear()
    return found


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    batch=batches(),
    shares=st.sampled_from([(1.0,), (0.5, 0.5), (0.3, 0.5, 0.2)]),
    invalid=st.sampled_from(["reject", "impute", "flag"]),
)
def test_together_as_alone(kit, spec, clock, batch, shares, invalid) -> None:
    form, asks = batch
    (core, log), (alone_core, log_alone) = pair(kit, spec, clock, form, shares, invalid)
    together = core.answer(asks)
    alone = [alone_core.answer([ask])[0] for ask in asks]
    assert [told(each) for each in together] == [told(each) for each in alone]
    for blocks in (log.blocks, log_alone.blocks):
        served = Counter(
            id
            for block in blocks
            for row, id in enumerate(block.prediction_ids)
            if not block.served or block.served[row]
        )
        ids = [id for each in together if isinstance(each, Answer) for id in each.prediction_ids]
        assert served == Counter(ids)
    logged = {
        (block.variant, id): seen
        for block in log.blocks
        for id, seen in zip(block.prediction_ids, block.outputs.get("seen", []), strict=False)
    }
    for each in together:
        if isinstance(each, Answer):
            for id, variant, seen in zip(
                each.prediction_ids, each.variants, each.outputs["seen"], strict=True
            ):
                assert logged[variant, id] == seen
