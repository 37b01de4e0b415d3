"""Steps, pipelines and gates are plain functions outside a run, and recorded inside one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlwright.errors import DataError, GateFailed, UsageError
from mlwright.stages.pipelines.define import Step, gate, pipeline, step
from mlwright.stages.pipelines.workbench import at_workbench, encode, examples, split


class Recorder:
    """A workbench that only writes down what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.gates: list[tuple[str, bool]] = []

    def run_step(self, step: Step[..., object], arguments: Mapping[str, object]) -> object:
        self.calls.append((step.name, dict(arguments)))
        return step.function(**arguments)

    def record_gate(self, what: str, *, passed: bool) -> None:
        self.gates.append((what, passed))


@step
def double(value: int, times: int = 1) -> int:
    return value * 2**times


@pipeline
def both(start: int, flavour: str = "plain") -> int:
    return double(double(start), times=2)


def test_a_step_outside_a_run_is_its_function() -> None:
    assert double(3) == 6
    assert both(1) == 8


def test_a_step_inside_a_run_goes_through_the_workbench_with_its_defaults() -> None:
    bench = Recorder()
    with at_workbench(bench):  # type: ignore[arg-type]
        assert both(1) == 8
    assert bench.calls == [("double", {"value": 1, "times": 1}), ("double", {"value": 2, "times": 2})]


def test_a_gate_that_fails_stops_and_is_recorded() -> None:
    bench = Recorder()
    with at_workbench(bench), pytest.raises(GateFailed, match="beats chance"):  # type: ignore[arg-type]
        gate(False, "beats chance")
    assert bench.gates == [("beats chance", False)]
    gate(True, "outside a run nothing is recorded")


def test_parameters_are_completed_and_unknown_ones_refused_with_the_nearest_name() -> None:
    assert both.bind({"start": 2}) == {"start": 2, "flavour": "plain"}
    with pytest.raises(UsageError, match="did you mean 'start'"):
        both.bind({"strat": 2})
    with pytest.raises(UsageError, match="needs start") as missing:
        both.bind({})
    assert missing.value.next_command == "mlwright run both -p start=…"


def test_a_verb_outside_a_run_says_which_command_runs_it() -> None:
    with pytest.raises(UsageError, match="works only inside a run") as refused:
        examples(
            endpoint="a",
            dataset="b",
            inputs=[],
            start=datetime(2024, 1, 1, tzinfo=UTC),
            end=datetime(2024, 2, 1, tzinfo=UTC),
        )
    assert refused.value.next_command == "mlwright run PIPELINE"


def test_split_keeps_the_last_stretch_apart() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = pl.DataFrame({"at": [start + timedelta(days=day) for day in range(30)]})
    before, after = split(rows, last="7d", by="at")
    assert (before.height, after.height) == (22, 8)
    assert before["at"].max() < after["at"].min()  # type: ignore[operator]
    with pytest.raises(DataError, match="leaves one part empty"):
        split(rows, last="400d", by="at")


def test_encode_gives_text_as_sorted_positions_and_missing_as_nan() -> None:
    rows = pl.DataFrame({"colour": ["red", None, "blue"], "n": [1, 2, None], "yes": [True, False, None]})
    x = encode(rows, ["colour", "n", "yes"])
    assert x.levels == {"colour": ("blue", "red")}
    assert x.categorical == [0]
    assert [each.type for each in x.fields] == ["string", "long", "boolean"]
    expected = [[1.0, 1.0, 1.0], [None, 2.0, 0.0], [0.0, None, None]]
    got = [[None if value != value else value for value in row] for row in x.matrix.tolist()]
    assert got == expected


def test_encode_refuses_what_a_model_cannot_take() -> None:
    with pytest.raises(DataError, match="column when"):
        encode(pl.DataFrame({"when": [datetime(2024, 1, 1, tzinfo=UTC)]}), ["when"])
