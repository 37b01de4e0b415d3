from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

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
        }
    )
    assert log.labels(hours(0, 1)).schema == pl.Schema(
        {
            "prediction_id": pl.String,
            "entity_key": pl.String,
            "label": pl.Float64,
            "observed_at": INSTANT,
            "received_at": INSTANT,
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
        ("a.0", "flight 0", NOON, NOON, "challenger", "m/2", 1, False, None, 70, 2, no),
        ("a.1", "flight 1", one, NOON, "challenger", "m/2", 1, False, None, 70, 2, no),
        ("a.0", "flight 0", NOON, NOON, "champion", "m/1", 1, True, 0.0, 900, 2, None),
        ("a.1", "flight 1", one, NOON, "champion", "m/1", 1, True, 0.1, 900, 2, None),
    ]
    assert log.predictions(None, served_only=True)["variant"].to_list() == ["champion", "champion"]


def test_windows_are_half_open_on_event_time(kit, journal, log, settle) -> None:
    journal.append(kit.block("a", 4))
    settle()
    assert log.predictions(hours(1, 3), served_only=True)["prediction_id"].to_list() == ["a.1", "a.2"]
    assert log.features(hours(1, 3))["prediction_id"].to_list() == ["a.1", "a.2"]
    assert log.predictions(hours(4, 9), served_only=True).is_empty()
    assert log.predictions(hours(1, 1), served_only=True).is_empty()


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
