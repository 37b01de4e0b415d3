import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlwright.errors import StorageError
from mlwright.model.windows import Window
from mlwright.stages.serving import log as log_module
from mlwright.stages.serving import segments
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.testing.fakes.clock import ManualClock

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")


def hours(start: int, end: int) -> Window:
    return Window(start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end))


def names(folder: Path, kind: str) -> list[str]:
    return sorted(each.name for each in (folder / kind).iterdir()) if (folder / kind).is_dir() else []


def test_empty(log) -> None:
    assert log.predictions(None, served_only=False).schema == pl.Schema(
        {
            "prediction_id": pl.String,
            "entity_key": pl.String,
            "event_time": INSTANT,
            "logged_at": INSTANT,
            "variant": pl.String,
            "model_version": pl.String,
            "generation": pl.Int64,
            "served": pl.Boolean,
            "score": pl.Float64,
            "latency_us": pl.Int64,
            "block_rows": pl.Int64,
            "error": pl.String,
            "flags": pl.String,
            "degraded": pl.String,
            "weight": pl.Float64,
        }
    )
    assert log.labels(hours(0, 1)).schema == pl.Schema(
        {
            "prediction_id": pl.String,
            "entity_key": pl.String,
            "label": pl.Float64,
            "observed_at": INSTANT,
            "received_at": INSTANT,
            "event_time": INSTANT,
        }
    )
    assert log.features(None).columns == ["prediction_id", "entity_key", "event_time"]
    assert log.compact().journals == 0


@pytest.fixture(params=["journal", "segment", "merged"])
def settle(request, journal, log):
    """The same questions get the same answers wherever the rows lie."""

    def settle() -> None:
        if request.param != "journal":
            journal.roll()
            log.compact()
        if request.param == "merged":
            journal.roll()
            log.compact()

    return settle


def test_rows(kit, journal, log, settle) -> None:
    journal.append(
        kit.block("a", 2),
        kit.block(
            "a",
            2,
            variant="challenger",
            model_version="m/2",
            features={},
            served=[False, False],
            scores=[float("nan")] * 2,
            latency_us=70,
            error="ValueError: no",
        ),
    )
    settle()
    frame = log.predictions(None, served_only=False)
    no = "ValueError: no"
    one = NOON + timedelta(hours=1)
    assert frame.sort("variant", "prediction_id").rows() == [
        ("a.0", "flight 0", NOON, NOON, "challenger", "m/2", 1, False, None, 70, 2, no, None, None, 1.0),
        ("a.1", "flight 1", one, NOON, "challenger", "m/2", 1, False, None, 70, 2, no, None, None, 1.0),
        ("a.0", "flight 0", NOON, NOON, "champion", "m/1", 1, True, 0.0, 900, 2, None, None, None, 1.0),
        ("a.1", "flight 1", one, NOON, "champion", "m/1", 1, True, 0.1, 900, 2, None, None, None, 1.0),
    ]
    assert log.predictions(None, served_only=True)["variant"].to_list() == ["champion", "champion"]


def test_matrix_is_read_like_columns(kit, journal, log, settle) -> None:
    """Numbers as raw bytes, of either width, beside blocks with columns and with other names."""
    for request, kind in (("a", "<f8"), ("b", "<f4")):
        numbers = np.array([[1.5, np.nan], [2.0, 3.25]], dtype=kind)
        journal.append(kit.block(request, 2, features={}, matrix=numbers.tobytes(), names=("x", "y")))
    journal.append(kit.block("c", 2, features={"y": [1, None], "z": ["u", "v"]}))
    settle()
    frame = log.features(None).sort("prediction_id")
    assert frame["x"].to_list() == [1.5, 2.0, 1.5, 2.0, None, None]
    assert frame["y"].to_list() == [None, 3.25, None, 3.25, 1.0, None]
    assert frame["z"].to_list() == [None] * 4 + ["u", "v"]


def test_endpoints_in_turns(kit, journal, log, settle) -> None:
    """Every block goes to its own rows, whoever was logged before it and however it was written."""
    for turn in range(3):
        journal.append(
            kit.block(f"a{turn}", 2, features={}, matrix=np.array([turn, 9.0]).tobytes(), names=("x",)),
            kit.block(f"a{turn}", 2, features={}, variant="challenger"),
            kit.block(f"b{turn}", 1, features={}, matrix=np.array([turn, 7.0]).tobytes(), names=("y", "x")),
            kit.block(f"c{turn}", 1, features={"x": [turn + 0.5], "z": ["u"]}),
            kit.block(f"d{turn}", 1, features={"y": ["text"]}),
        )
    settle()
    frame = log.features(None).sort("prediction_id")
    assert frame["x"].to_list() == [0, 9, 1, 9, 2, 9, 7, 7, 7, 0.5, 1.5, 2.5, None, None, None]
    assert frame["y"].to_list() == [None] * 6 + ["0.0", "1.0", "2.0"] + [None] * 3 + ["text"] * 3
    assert frame["z"].to_list() == [None] * 9 + ["u"] * 3 + [None] * 3


def test_what_may_be_empty_stands_for_the_usual(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 2, entity_keys=[], event_times=[], served=[], scores=[]))
    settle()
    frame = log.predictions(None)
    assert frame["entity_key"].to_list() == ["a.0", "a.1"]
    assert frame["event_time"].to_list() == [NOON, NOON]
    assert frame["served"].to_list() == [True, True]
    assert frame["score"].to_list() == [None, None]


def test_outputs_flags_and_fallbacks(kit, journal, log, settle) -> None:
    outputs = {"label": ["cat", "dog"], "odds": [[0.9, 0.1], [0.2, 0.8]]}
    journal.append(
        kit.block("a", 2, scores=[], outputs=outputs, flags=["", "x[1]: 9 is too large"], weight=4.0)
    )
    journal.append(
        kit.block("a", 2, variant="challenger", served=[False] * 2, outputs={"label": ["cow"] * 2})
    )
    journal.append(kit.block("b", 1, degraded="default"))
    settle()
    frame = log.predictions(None, served_only=True).sort("prediction_id")
    assert frame["flags"].to_list() == [None, "x[1]: 9 is too large", None]
    assert frame["degraded"].to_list() == [None, None, "default"]
    assert frame["weight"].to_list() == [4.0, 4.0, 1.0]
    given = log.outputs(None).sort("variant", "prediction_id")
    assert given["label"].to_list() == ["cow", "cow", "cat", "dog"]
    assert given["odds"].to_list() == [None, None, [0.9, 0.1], [0.2, 0.8]]
    assert log.outputs(None, served_only=True)["variant"].unique().to_list() == ["champion"]


def test_without_outputs_there_are_none(kit, journal, log, settle) -> None:
    assert log.outputs(None).is_empty()
    journal.append(kit.block("a"))
    settle()
    assert log.outputs(None).columns == ["prediction_id", "entity_key", "event_time", "variant", "served"]
    assert log.outputs(None).is_empty()


def test_number_that_is_masked_from_some_day_on(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 1, features={"x": [1.5]}))
    settle()
    journal.append(kit.block("b", 1, features={"x": ["0c4f"]}, event_times=[kit.noon + 1]))
    settle()
    assert log.features(None)["x"].to_list() == ["1.5", "0c4f"]


def test_block_that_does_not_hold_together_costs_itself_only(kit, journal, log, settle) -> None:
    journal.append(kit.block("a"), kit.block("b", scores=[1.0]), kit.block("c", matrix=b"123", names=("x",)))
    settle()
    assert set(log.features(None)["prediction_id"]) == {"a.0", "a.1", "a.2"}
    assert set(log.predictions(None)["prediction_id"]) >= {"a.0", "a.1", "a.2"}
    assert "b.0" not in log.predictions(None)["prediction_id"]


def test_label_of_an_entity_at_an_instant(kit, journal, log, settle) -> None:
    """Each instant has its own label; the entity without an instant is a third."""
    named = {"prediction_ids": [], "entity_keys": ["e", "e", "e"]}
    journal.append(kit.labels([], [1, 2, 3], event_times=[5, 6, None], **named))
    settle()
    journal.append(
        kit.labels(
            [],
            [4, 5],
            received_at=kit.noon + 11 * kit.hour,
            event_times=[6, None],
            prediction_ids=["", "p"],
            entity_keys=["e", ""],
        )
    )
    settle()
    frame = log.labels(None).sort("label")
    assert frame["label"].to_list() == [1, 3, 4, 5]
    assert frame["prediction_id"].to_list() == [None, None, None, "p"]
    assert frame["entity_key"].to_list() == ["e", "e", "e", None]
    assert frame["event_time"].dt.epoch("us").to_list() == [5, None, 6, None]


def test_log_of_an_older_version(tmp_path) -> None:
    """The folder was written by the version before outputs, flags, weights and instants of labels."""
    folder = tmp_path / "old"
    shutil.copytree(Path(__file__).parent / "old_log", folder)
    old = PredictionLog(folder)
    for _ in range(3):  # as it lies there, as segments, merged
        frame = old.predictions(None).sort("prediction_id", "variant")
        assert frame["prediction_id"].to_list() == ["a.0", "a.0", "a.1", "a.1", "b.0", "b.1"]
        assert frame["score"].to_list() == [0.1, 0.1, None, None, 0.1, None]
        assert frame["weight"].to_list() == [1.0] * 6
        assert frame["degraded"].null_count() == 6
        assert old.features(None).sort("prediction_id")["x"].to_list() == [1.0, None, 1.0, None]
        assert old.labels(None)["entity_key"].to_list() == [None, "e1"]
        assert old.labels(None)["event_time"].null_count() == 2
        assert old.outputs(None).is_empty()
        old.compact()


def test_windows_are_half_open_on_event_time(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 4))
    settle()
    assert log.predictions(hours(1, 3), served_only=True)["prediction_id"].to_list() == ["a.1", "a.2"]
    assert log.features(hours(1, 3))["prediction_id"].to_list() == ["a.1", "a.2"]
    assert log.predictions(hours(4, 9), served_only=True).is_empty()
    assert log.predictions(hours(1, 1), served_only=True).is_empty()


def test_fewer_columns_are_the_same_rows(kit, journal, log, settle) -> None:
    shadowed = {"variant": "challenger", "served": [False] * 3}
    journal.append(kit.block("a"), kit.block("a", **shadowed), kit.block("a", 2, scores=[0.8, 0.9]))
    settle()
    for served in (False, True):
        whole = log.predictions(None, served_only=served)
        for some in (("event_time",), ("score", "prediction_id")):
            found = log.predictions(None, served_only=served, columns=some)
            assert_frame_equal(found, whole.select(some))
    assert log.predictions(hours(90, 91), columns=("event_time",)).schema == {"event_time": INSTANT}


def test_first_answer_of_an_endpoint(kit, journal, log, settle) -> None:
    journal.append(kit.block("a"), kit.block("b", 1, event_times=[0], served=[False]))
    settle()
    assert log.first("delay") == NOON
    assert log.first("other") is None
    journal.append(kit.block("c", 1, endpoint="other", event_times=[7_000_000]))
    assert log.first("other") == datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)


def test_no_segment_is_searched_twice_for_an_endpoint_that_is_not_in_it(kit, journal, log, tmp_path) -> None:
    journal.append(kit.block("a"))
    journal.roll()
    log.compact()
    assert log.first("other") is None
    (segment,) = tmp_path.rglob("*.parquet")
    segment.write_bytes(b"")
    assert log.first("other") is None
    with pytest.raises(StorageError):
        log.first("delay")


def test_features_of_two_versions(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 1), kit.block("a", 1, variant="challenger", features={}))
    settle()
    journal.append(
        kit.block("b", 1, features={"x": [7], "wind": [None], "event_time": [3]}, event_times=[kit.noon + 1])
    )
    settle()
    assert log.features(None).rows(named=True) == [
        {"prediction_id": "a.0", "entity_key": "flight 0", "event_time": NOON}
        | {"x": 0.0, "origin": "JFK", "wind": None},
        {"prediction_id": "b.0", "entity_key": "flight 0", "event_time": NOON + timedelta(microseconds=1)}
        | {"x": 7.0, "origin": None, "wind": None},
    ]


def test_a_request_sent_twice_counts_once(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 2))
    settle()
    journal.append(kit.block("a", 2, logged_at=kit.noon + 5, scores=[0.8, 0.9], features={"x": [8.0, 9.0]}))
    settle()
    journal.append(kit.block("a", 2, logged_at=kit.noon - 5, scores=[0.1, 0.1]))
    settle()
    assert log.predictions(None, served_only=True)["score"].to_list() == [0.8, 0.9]
    assert log.features(None)["x"].to_list() == [8.0, 9.0]


def test_endpoints_stand_apart(kit, journal, log, settle) -> None:
    """The same request id at two endpoints is two predictions."""
    journal.append(kit.block("a", 1), kit.block("a", 1, endpoint="churn", scores=[0.7]))
    journal.append(kit.labels(["a.0"], [1.0]), kit.labels(["a.0"], [0.0], endpoint="churn"))
    settle()
    assert log.predictions(None, served_only=True).height == 2
    assert log.predictions(None, served_only=True, endpoint="churn")["score"].to_list() == [0.7]
    assert log.labels(None, endpoint="churn")["label"].to_list() == [0.0]
    assert log.features(None, endpoint="nobody").is_empty()


def test_labels(kit, journal, log, settle) -> None:
    journal.append(kit.labels(["a.0", "a.1"], [1.0, 0.0]))
    settle()
    later = kit.noon + 11 * kit.hour
    journal.append(kit.labels(["a.1"], [1.0], received_at=later))
    journal.append(kit.labels([], [0.0], entity_keys=["a.0"], received_at=later, observed_at=[later]))
    settle()
    found = log.labels(None)
    assert found.select("prediction_id", "entity_key", "label").rows() == [
        ("a.0", None, 1.0),
        ("a.1", None, 1.0),
        (None, "a.0", 0.0),
    ]
    assert found["received_at"].to_list() == [NOON + timedelta(hours=each) for each in (10, 11, 11)]
    assert log.labels(hours(9, 10)).height == 2
    assert log.labels(hours(10, 20))["entity_key"].to_list() == ["a.0"]


def test_compaction_leaves_open_files_alone(kit, journal, log, tmp_path) -> None:
    journal.append(kit.block("a"))
    assert log.compact().journals == 0
    assert len(names(tmp_path, "journal")) == 1
    journal.roll()
    assert log.compact(keep_open=lambda pid: True).journals == 0
    report = log.compact()
    assert (report.journals, report.rows, report.corrupt) == (1, 3, 0)
    assert names(tmp_path, "journal") == []
    [segment] = names(tmp_path, "predictions")
    assert segment.startswith(f"{kit.noon}-{kit.noon + 2 * kit.hour}-3-predictions-")


def test_live_journal_is_read_as_it_grows(kit, journal, log) -> None:
    for number in range(70):
        journal.append(kit.block(f"r{number}", 1))
        assert log.predictions(None, served_only=True).height == number + 1
    assert log.features(None).height == 70
    journal.roll()
    log.compact()
    assert log.predictions(None, served_only=True).height == 70


def test_small_segments_are_merged_and_large_ones_left(kit, journal, log, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(segments, "SMALL_ROWS", 10)
    for request in "abcdefgh":
        journal.append(kit.block(request, 3))
        journal.roll()
        log.compact()
    assert log.predictions(None, served_only=True).height == 24
    rows = sorted(each.rows for each in segments.read_segments(tmp_path / "predictions"))
    assert rows == [12, 12]
    before = names(tmp_path, "predictions")
    assert log.compact() == log_module.CompactReport()
    assert names(tmp_path, "predictions") == before


def test_corrupt_journal_goes_to_quarantine(kit, journal, log, tmp_path) -> None:
    for request in "abc":
        journal.append(kit.block(request, 1))
    journal.close()
    [path] = (tmp_path / "journal").glob("*.mlj")
    spoiled = bytearray(path.read_bytes())
    spoiled[len(spoiled) // 2] ^= 0xFF
    path.write_bytes(spoiled)
    assert log.predictions(None, served_only=True)["prediction_id"].to_list() == ["a.0", "c.0"]
    report = log.compact()
    assert (report.rows, report.corrupt, report.quarantined) == (2, 1, (path.name,))
    assert (tmp_path / "quarantine" / path.name).read_bytes() == spoiled
    assert log.predictions(None, served_only=True)["prediction_id"].to_list() == ["a.0", "c.0"]
    assert log.compact().corrupt == 0


def test_block_of_a_newer_form_is_kept_aside(log, tmp_path) -> None:
    import msgspec

    from mlwright.stages.serving.journal import MAGIC, crc32

    payload = msgspec.msgpack.encode({"endpoint": "delay", "something": "else"})
    length = len(payload).to_bytes(4, "little")
    checksum = crc32(payload, crc32(length)).to_bytes(4, "little")
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "predictions-1-1-0000.mlj").write_bytes(MAGIC + length + checksum + payload)
    assert log.predictions(None, served_only=True).is_empty()
    assert log.compact().quarantined == ("predictions-1-1-0000.mlj",)


class Died(Exception):
    """The process ends here."""


def die_at(monkeypatch, module, name: str, after: int) -> None:
    """Let the named function work ``after`` times and die instead of the next time."""
    real = getattr(module, name)
    calls = iter(range(1000))

    def dying(*arguments, **named):
        if next(calls) >= after:
            raise Died
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, dying)


@pytest.mark.parametrize(
    ("module", "name", "after"),
    [
        (log_module, "stage_segment", 0),
        (log_module, "commit", 0),
        (log_module.Path, "unlink", 0),
        (log_module, "merge_small", 0),
        (segments, "stage_segment", 0),
        (segments, "commit", 0),
        (segments, "commit", 1),
        (segments, "_delete_replaced", 0),
        (segments, "_delete_replaced", 1),
        (segments.Path, "unlink", 5),  # one of the four replaced segments is gone
        (segments.Path, "unlink", 8),  # all are gone, the note still stands
    ],
)
@pytest.mark.parametrize("kind", ["predictions", "labels"])
def test_death_during_compaction(kit, journal, log, tmp_path, module, name, after, kind) -> None:
    """Wherever it dies, the rows stay the same, and the next compaction ends clean."""
    for request in "abcd":
        journal.append(kit.block(request), kit.labels([f"{request}.0"], [1.0]))
        journal.roll()
    read = (
        (lambda: log.predictions(None, served_only=True))
        if kind == "predictions"
        else (lambda: log.labels(None))
    )
    expected = read()
    assert expected.height == (12 if kind == "predictions" else 4)
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, module, name, after)
        with pytest.raises(Died):
            log.compact()
    key = "prediction_id"
    assert_frame_equal(read().sort(key), expected.sort(key))
    assert_frame_equal(_without_dedupe(tmp_path, kind).sort(key), expected.select(key).sort(key))
    log.compact()
    assert_frame_equal(read().sort(key), expected.sort(key))
    assert len(names(tmp_path, kind)) == 1
    assert names(tmp_path, "journal") == []


def _without_dedupe(folder: Path, kind: str) -> pl.DataFrame:
    """Every row that is in force, counted as often as it is there."""
    log = PredictionLog(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, f"last_{kind}", lambda frame: frame)
        frame = log.predictions(None) if kind == "predictions" else log.labels(None)
    return frame.select("prediction_id")


def test_only_one_compacts(kit, journal, log, tmp_path) -> None:
    journal.append(kit.block("a"))
    journal.roll()
    with segments.locked(tmp_path / "compact.lock", exclusive=True):
        assert log.compact().journals == 0
    assert log.compact().journals == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_log_equals_a_dictionary(kit, tmp_path_factory, data) -> None:
    """Appending, rolling, compacting and reading in any order: what is read is what a plain dictionary holds."""
    folder = tmp_path_factory.mktemp("log")
    journal = Journal(folder, ManualClock())
    log = PredictionLog(folder)
    held: dict[tuple[str, str], tuple[int, float, bool]] = {}
    for step in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(["append", "append", "roll", "compact", "read"]))
        if action == "append":
            request = data.draw(st.sampled_from("abc"))
            variant = data.draw(st.sampled_from(["champion", "challenger"]))
            rows = data.draw(st.integers(1, 3))
            score = data.draw(st.floats(0, 1))
            made = kit.block(
                request,
                rows,
                variant=variant,
                logged_at=kit.noon + step,
                scores=[score] * rows,
                served=[variant == "champion"] * rows,
            )
            journal.append(made)
            for row, time in enumerate(made.event_times):
                held[f"{request}.{row}", variant] = (time, score, variant == "champion")
        elif action == "roll":
            journal.roll()
        elif action == "compact":
            log.compact()
        start, end = sorted(data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4))))
        served = data.draw(st.booleans())
        found = log.predictions(hours(start, end), served_only=served)
        inside = range(kit.noon + start * kit.hour, kit.noon + end * kit.hour)
        assert {(row["prediction_id"], row["variant"], row["score"]) for row in found.rows(named=True)} == {
            (*key, score)
            for key, (time, score, is_served) in held.items()
            if time in inside and is_served >= served
        }
        assert found["event_time"].is_sorted()
    journal.close()
