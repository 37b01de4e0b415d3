"""The engine: checkpoints by digest of code and arguments, retries, and errors that name the step."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from mlwright.errors import GateFailed, PipelineInvalid, StepFailed
from mlwright.model.ids import Digest, RunId
from mlwright.stages.pipelines.define import StepPolicy, step
from mlwright.stages.pipelines.engine import Checkpoints, StepCall, StepRunner
from mlwright.stages.pipelines.store import find_checkpoint, save_checkpoint
from mlwright.stages.pipelines.tables import metadata
from mlwright.stages.pipelines.usercode import call_function, code_digest, load_pipelines
from mlwright.stages.pipelines.values import KnownDigests, frame_digest, key_of, restore_result, store_result
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.executor import InlineExecutor


class Shelf:
    """Checkpoints in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[object, Digest]] = {}

    def keep(self, key: str, step_name: str, value: object) -> Digest | None:
        self.kept[key] = (value, Digest(f"digest-of-{step_name}"))
        return self.kept[key][1]

    @property
    def port(self) -> Checkpoints:
        return Checkpoints(self.kept.get, self.keep)


def runner(shelf: Shelf, code: str = "code-1") -> tuple[StepRunner, list[StepCall], list[float]]:
    calls: list[StepCall] = []
    pauses: list[float] = []
    made = StepRunner(
        executor=InlineExecutor(),
        checkpoints=shelf.port,
        code=Digest(code),
        on_call=calls.append,
        pause=pauses.append,
    )
    return made, calls, pauses


def counting(results: list[object]) -> tuple[Callable[..., object], list[int]]:
    seen: list[int] = []

    def work(value: int) -> object:
        seen.append(value)
        result = results[min(len(seen), len(results)) - 1]
        if isinstance(result, Exception):
            raise result
        return result

    return work, seen


def test_the_second_call_with_the_same_code_and_arguments_comes_from_its_checkpoint() -> None:
    work, seen = counting(["result"])
    shelf, one = Shelf(), step(work)
    first, _, _ = runner(shelf)
    second, calls, _ = runner(shelf)
    assert first.run(one, {"value": 1}) == second.run(one, {"value": 1}) == "result"
    assert seen == [1]
    assert [call.outcome for call in calls] == ["from checkpoint"]


@pytest.mark.parametrize(("code", "value"), [("code-2", 1), ("code-1", 2)])
def test_other_code_or_other_arguments_run_again(code: str, value: int) -> None:
    work, seen = counting(["result"])
    shelf, one = Shelf(), step(work)
    runner(shelf)[0].run(one, {"value": 1})
    runner(shelf, code)[0].run(one, {"value": value})
    assert seen == [1, value]


def test_an_argument_without_a_digest_is_never_answered_from_a_checkpoint() -> None:
    work, seen = counting(["result"])
    shelf, one = Shelf(), step(work)
    for _ in range(2):
        runner(shelf)[0].run(one, {"value": object()})
    assert len(seen) == 2
    assert not shelf.kept


def test_a_step_is_tried_again_with_growing_pauses() -> None:
    work, seen = counting([ValueError("once"), ValueError("twice"), "third time"])
    made, calls, pauses = runner(Shelf())
    assert made.run(step(retries=2)(work), {"value": 1}) == "third time"
    assert (len(seen), pauses, calls[0].tries) == (3, [1.0, 2.0], 3)


def test_a_step_that_always_raises_names_itself_and_keeps_the_cause() -> None:
    work, _ = counting([ValueError("no such column")])
    made, calls, _ = runner(Shelf())
    with pytest.raises(StepFailed, match="step 'work' failed 2 times: ValueError: no such column") as failed:
        made.run(step(retries=1)(work), {"value": 1})
    assert isinstance(failed.value.__cause__, ValueError)
    assert calls[-1].outcome == "failed"


def test_a_gate_is_not_tried_again() -> None:
    work, seen = counting([GateFailed("no")])
    with pytest.raises(GateFailed):
        runner(Shelf())[0].run(step(retries=5)(work), {"value": 1})
    assert seen == [1]


def test_policy_reads_durations() -> None:
    policy: StepPolicy = step(timeout="30m")(counting(["x"])[0]).policy
    assert policy.timeout is not None
    assert policy.timeout.total_seconds() == 1800


@given(st.lists(st.integers() | st.text() | st.none() | st.booleans(), max_size=5))
def test_keys_are_equal_exactly_when_arguments_are(values: list[object]) -> None:
    known = KnownDigests()
    one = key_of("s", Digest("c"), {"value": values}, known)
    same = key_of("s", Digest("c"), {"value": list(values)}, known)
    other = key_of("s", Digest("c"), {"value": [*values, "more"]}, known)
    assert one == same != other


def test_true_and_one_are_different_arguments() -> None:
    known = KnownDigests()
    assert key_of("s", Digest("c"), {"value": True}, known) != key_of("s", Digest("c"), {"value": 1}, known)


def test_frame_digests_ignore_chunks_and_see_values_names_and_types() -> None:
    frame = pl.DataFrame({"a": [1, 2, 3]})
    chunked = pl.concat([frame.head(1), frame.tail(2)], rechunk=False)
    assert frame_digest(frame) == frame_digest(chunked)
    others = [frame.rename({"a": "b"}), frame.cast(pl.Float64), frame.reverse()]
    assert len({frame_digest(each) for each in [frame, *others]}) == 4


def test_results_come_back_as_they_were_and_odd_ones_are_not_kept() -> None:
    store = MemoryArtifactStore()
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    for value in (frame, {"auc": 0.5, "names": ["a"]}, None, 3):
        stored = store_result(value, store)
        assert stored is not None
        again = restore_result(*stored, store)
        assert again.equals(frame) if isinstance(again, pl.DataFrame) else again == value
    assert store_result(object(), store) is None
    assert store_result({"odd": object()}, store) is None


def test_checkpoints_in_the_database_are_replaced_by_later_ones() -> None:
    from datetime import UTC, datetime

    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    with engine.begin() as tx:
        for digest in ("blake3:aa", "blake3:bb"):
            save_checkpoint(tx, "key", step="s", kind="frame", digest=Digest(digest), run=RunId("r"), at=now)
        assert find_checkpoint(tx, "key") == ("frame", "blake3:bb")
        assert find_checkpoint(tx, "other") is None
    engine.dispose()


def test_a_project_file_that_raises_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(PipelineInvalid, match="ZeroDivisionError") as broken:
        load_pipelines(["pipeline.py"], tmp_path)
    assert broken.value.where == f"{tmp_path / 'pipeline.py'}:2"


def test_a_missing_function_of_a_project_file_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def flights():\n    return 1\n")
    assert call_function(tmp_path / "data.py", tmp_path, "flights") == 1
    with pytest.raises(LookupError, match="did you mean 'flights'"):
        call_function(tmp_path / "data.py", tmp_path, "flihgts")


def test_the_code_digest_sees_a_helper_that_changed(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("FACTOR = 2\n")
    before = code_digest(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "other.py").write_text("ignored = True\n")
    assert code_digest(tmp_path) == before
    (tmp_path / "helper.py").write_text("FACTOR = 3\n")
    assert code_digest(tmp_path) != before


def test_code_that_changed_is_imported_anew_with_its_helpers(tmp_path: Path) -> None:
    (tmp_path / "helper_of_two.py").write_text("FACTOR = 2\n")
    (tmp_path / "data.py").write_text("import helper_of_two\ndef rows():\n    return helper_of_two.FACTOR\n")
    assert call_function(tmp_path / "data.py", tmp_path, "rows") == 2
    (tmp_path / "helper_of_two.py").write_text("FACTOR = 30\n")
    assert call_function(tmp_path / "data.py", tmp_path, "rows") == 30
