"""Files that appear in a folder, and records of a stream, each scored once."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlwright.errors import Conflict, DataError, Fault, ModelError, NotFound, UsageError
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EdgeSettings, EndpointSettings, ServingSettings
from mlwright.stages.serving.batch.job import Done, Manifest, Scored, Source, encode
from mlwright.stages.serving.batch.running import BatchReport
from mlwright.stages.serving.batch.streaming import StreamOptions, consume, text_of
from mlwright.stages.serving.batch.watching import WatchOptions, watch
from mlwright.stages.serving.batch.working import NoJournal
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.values import ValueChecks
from mlwright.testing.fakes.clock import ManualClock
from mlwright.testing.fakes.streams import MemoryRecordStream, StreamMemory


def report(output: str, **changes) -> BatchReport:
    values = {
        "output": output,
        "endpoint": "rows",
        "versions": ("m/1",),
        "rows": 1,
        "written": 1,
        "rejected": 0,
        "flagged": 0,
        "rejected_at": "",
        "faults": {},
        "missed": {},
        "absent": (),
        "parts": 1,
        "found_done": 0,
        "seconds": 0.1,
        "opening_s": 0.0,
        "rows_per_second": 10.0,
    }
    return BatchReport(**{**values, **changes})


class Scorer:
    """Stands for the whole of scoring a file: keeps a manifest as it does, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.errors: dict[str, list[Exception]] = {}

    def __call__(self, path: str, output: str, restart: bool) -> BatchReport:
        name = os.path.basename(path)
        self.asked.append((name, restart))
        if self.errors.get(name):
            raise self.errors[name].pop(0)
        self.keep(path, output, complete=True)
        return report(output)

    @staticmethod
    def keep(path: str, output: str, *, complete: bool) -> None:
        status = os.stat(path)
        source = Source(path=path, size=status.st_size, stamp=str(status.st_mtime_ns))
        done = {"0": Done(read=1, written=1, rejected=0)}
        manifest = Manifest(
            job="j", as_of=0, endpoint="rows", versions={}, options={}, inputs=[source], done=done
        )
        manifest.complete = complete
        file = Path(f"{output}.manifest.json")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encode(manifest))


@pytest.fixture
def scorer() -> Scorer:
    return Scorer()


@pytest.fixture
def inbox(tmp_path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watching(inbox, tmp_path, scorer):
    """Watch until nothing has come for a moment; what came of each file."""

    def go(**options):
        came = []
        given = {"settle_s": 0.0, "poll_s": 0.01, "idle_s": 0.0, **options}
        watch(str(inbox), str(tmp_path / "out"), scorer, WatchOptions(**given), came.append)
        return came

    return go


def test_each_file_once(inbox, watching, scorer) -> None:
    for name in ("a.csv", "b.parquet", ".hidden.csv", "_left.csv", "coming.csv.tmp"):
        (inbox / name).write_text("x")
    (inbox / "deep").mkdir()
    (inbox / "deep" / "c.csv").write_text("x")
    assert len(watching()) == 2
    assert sorted(scorer.asked) == [("a.csv", False), ("b.parquet", False)]
    assert watching() == [], "another process knows by the manifests"
    (inbox / "coming.csv.tmp").rename(inbox / "coming.csv")
    assert [os.path.basename(each.path) for each in watching()] == ["coming.csv"]


def test_a_file_of_the_same_name_is_another_one(inbox, watching, scorer) -> None:
    (inbox / "a.csv").write_text("x")
    watching()
    (inbox / "a.csv").write_text("other")
    assert len(watching()) == 1
    assert scorer.asked == [("a.csv", False), ("a.csv", True)]


def test_a_file_that_was_begun_goes_on(inbox, tmp_path, watching, scorer) -> None:
    (inbox / "a.csv").write_text("x")
    scorer.keep(str(inbox / "a.csv"), str(tmp_path / "out" / "a.csv.parquet"), complete=False)
    watching()
    assert scorer.asked == [("a.csv", False)]


def test_what_answers_has_changed_since_a_file_was_begun(inbox, tmp_path, watching, scorer) -> None:
    (inbox / "a.csv").write_text("x")
    scorer.keep(str(inbox / "a.csv"), str(tmp_path / "out" / "a.csv.parquet"), complete=False)
    scorer.errors["a.csv"] = [Conflict("changed", faults=[Fault(where="version", what="other")])]
    assert len(watching()) == 1
    assert scorer.asked == [("a.csv", False), ("a.csv", True)]


def test_a_file_that_grows_is_waited_for(inbox, watching, scorer) -> None:
    path = inbox / "a.csv"
    path.write_text("x\n")
    polls = iter(range(1000))

    def stopped(seconds: float) -> bool:
        number = next(polls)
        if number < 5:
            path.write_text("x\n" * (number + 2))
        if seconds:
            time.sleep(seconds)
        return False

    watching(settle_s=0.1, idle_s=0.3, stopped=stopped, poll_s=0.05)
    assert scorer.asked == [("a.csv", False)]
    assert path.read_text() == "x\n" * 6


def test_poison_is_put_aside(inbox, watching, scorer) -> None:
    for _ in range(2):
        (inbox / "a.csv").write_text("x")
        scorer.errors["a.csv"] = [DataError("the file cannot be read", where="a.csv", why="because")]
        [came] = watching()
        assert came.report is None
        assert not (inbox / "a.csv").exists()
    assert sorted(each.name for each in (inbox / "failed").iterdir()) == [
        "a.1.csv",
        "a.1.csv.reason.json",
        "a.csv",
        "a.csv.reason.json",
    ]
    reason = json.loads((inbox / "failed" / "a.csv.reason.json").read_text())
    assert (reason["code"], reason["what"], reason["why"]) == (
        "DataError",
        "the file cannot be read",
        "because",
    )
    (inbox / "notes.txt").write_text("no rows")
    [came] = watching()
    assert came.put == str(inbox / "failed" / "notes.txt")
    assert watching() == []


def test_trouble_that_is_not_the_files_ends_it(inbox, watching, scorer) -> None:
    (inbox / "a.csv").write_text("x")
    scorer.errors["a.csv"] = [ModelError("the model is gone")]
    with pytest.raises(ModelError):
        watching()
    assert (inbox / "a.csv").exists()
    assert len(watching()) == 1


def test_told_to_stop(inbox, watching, scorer) -> None:
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text("x")
    assert len(watching(stopped=lambda seconds: bool(scorer.asked), idle_s=None)) == 1


def test_folders_that_cannot_be_watched(inbox, tmp_path, scorer) -> None:
    with pytest.raises(NotFound):
        watch(str(tmp_path / "no"), str(tmp_path / "out"), scorer, WatchOptions(), print)
    with pytest.raises(UsageError):
        watch(str(inbox), str(inbox), scorer, WatchOptions(), print)


# Streams


FIELDS = (Field(name="x", type="double"), Field(name="n", type="long", required=False))


class Double:
    """Doubles x; fails on 13, and on all that is above 0 while ``broken``."""

    def __init__(self, version: int = 1) -> None:
        self.version, self.broken = version, False
        self.signature = Signature(inputs=FIELDS, outputs=(Field(name="score", type="double"),))

    def infer(self, batch):
        x = batch.column("x")
        if (x == 13).any() or (self.broken and (x > 0).any()):
            raise RuntimeError("poison")
        return {"score": x * 2 * self.version}

    def close(self) -> None:
        pass


@pytest.fixture
def memory() -> StreamMemory:
    now = iter(range(10**9))
    return StreamMemory(clock=lambda: float(next(now)))


@pytest.fixture
def model() -> Double:
    return Double()


@pytest.fixture
def consuming(kit, memory, model):
    """Consume until nothing comes; returns the report."""

    def go(scored: Scored | None = None, latest=None, **options):
        edge = EdgeSettings(invalid="flag")
        spec = EndpointSettings(name="rows", model="m", keyed=False, serving=ServingSettings(edge=edge))
        route = kit.route(kit.variant("champion", 1, 1.0))
        scored = scored or Scored(spec=spec, route=route, digests={}, takes=FIELDS)
        core = EndpointCore(
            spec,
            (),
            None,
            lambda variant: model if variant.version == 1 else Double(variant.version),
            NoJournal(),
            ManualClock(),
            checks=ValueChecks((), edge),
        )
        core.apply(scored.route)
        how = StreamOptions(**{"idle_s": 0.0, "window_s": 0.0, "dead_s": 0.0, **options})
        return consume(MemoryRecordStream(memory), core, scored, how, latest=latest or (lambda: scored))

    return go


def test_records_as_json_and_as_fields(memory, consuming) -> None:
    ids = [
        memory.add({"json": '{"x": 1, "entity_key": "a"}'}),
        memory.add({"x": " 2e0 ", "n": "3", "entity_key": "b", "more": "?"}),
        memory.add({"x": ""}),
    ]
    done = consuming()
    assert (done.records, done.written, done.buried) == (3, 3, 0)
    found = {each.source: each.fields for each in memory.results}
    assert [found[id]["score"] for id in ids] == ["2.0", "4.0", ""]
    assert found[ids[0]]["entity_key"] == "a"
    assert found[ids[1]]["prediction_id"] == f"mlwright-{ids[1]}.0"
    assert found[ids[1]]["model_version"] == "m/1"
    assert "more" not in found[ids[1]]
    assert memory.waiting() == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"x": "many"}, "x: expected double"),
        ({"json": "{"}, "json: "),
        ({"json": "[]"}, "json: is no object"),
        ({"json": "{}"}, "x: the model needs this double"),
        ({"y": "1"}, "x: the model needs this double"),
    ],
)
def test_records_that_cannot_be_scored_are_put_aside_at_once(memory, consuming, fields, reason) -> None:
    good = memory.add({"x": "1"})
    memory.add(fields)
    done = consuming()
    assert (done.written, done.buried) == (1, 1)
    [(record, why)] = memory.buried
    assert why.startswith(reason)
    assert record.fields == fields
    assert [each.source for each in memory.results] == [good]


def test_a_record_the_model_fails_on_comes_again_until_it_is_put_aside(memory, consuming) -> None:
    for x in (12, 13, 14):
        memory.add({"x": str(x)})
    done = consuming(attempts=3)
    assert [each.fields["score"] for each in memory.results] == ["24.0", "28.0"]
    [(record, why)] = memory.buried
    assert (record.fields["x"], record.deliveries) == ("13", 4)
    assert "never finished" in why
    assert done.claimed == 3


def test_a_model_that_fails_on_everything_keeps_the_records(memory, model, consuming) -> None:
    model.broken = True
    for x in range(1, 5):
        memory.add({"x": str(x)})
    with pytest.raises(ModelError):
        consuming()
    assert len(memory.waiting()) == 4
    model.broken = False
    assert consuming().written == 4
    assert memory.waiting() == []


def test_batches_are_bounded(memory, consuming) -> None:
    for x in range(10):
        memory.add({"x": str(x)})
    assert consuming(most=4).batches == 3


def test_told_to_stop_before_anything(memory, consuming) -> None:
    memory.add({"x": "1"})
    assert consuming(stopped=lambda _: True).records == 0
    assert memory.unread == 0


def test_a_change_behind_the_endpoint_is_followed(kit, memory, consuming, monkeypatch) -> None:
    monkeypatch.setattr("mlwright.stages.serving.batch.streaming.FOLLOW_S", 0.0)
    spec = EndpointSettings(name="rows", model="m", keyed=False)
    first = Scored(spec=spec, route=kit.route(kit.variant("champion", 1, 1.0)), digests={}, takes=FIELDS)
    later = replace(first, route=kit.route(kit.variant("champion", 2, 1.0), generation=2))
    memory.add({"x": "1"})
    memory.add({"x": "1"})
    routes = iter([first, *[later] * 100])
    consuming(first, latest=lambda: next(routes), most=1)
    assert [(each.fields["score"], each.fields["model_version"]) for each in memory.results] == [
        ("2.0", "m/1"),
        ("4.0", "m/2"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (None, ""), (float("nan"), ""), (1.5, "1.5"), (True, "true"), ([1, None], "[1,null]")],
)
def test_texts_of_results(value, text) -> None:
    assert text_of(value) == text
