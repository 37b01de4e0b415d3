"""The book: lineage both ways, decisions, the audit chain, and everything to take away."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import delete, update

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest
from mlwright.stages.ledger.tables import audit

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def reached(edges) -> set[str]:
    return {str(each.effect).partition(":")[0] for each in edges} | {
        str(each.cause).partition(":")[0] for each in edges
    }


def test_lineage_is_walked_both_ways(released) -> None:
    records = released.platform.records
    data = released.platform.data.load("flights").version
    down = records.trace("endpoint:delay")
    assert down.effects == ()
    assert reached(down.causes) == {"endpoint", "model", "run", "artifact", "dataset", "contract", "code"}
    up = records.trace(f"dataset:{data.name}@{data.digest}")
    assert {str(each.effect) for each in up.effects} >= {"model:delay/1", "endpoint:delay"}
    assert {str(each.cause) for each in up.causes} == {"contract:flights@1.0.0"}


@pytest.mark.parametrize("name", ["delay/1", "model:delay/1", "delay@champion", "delay"])
def test_a_model_is_traced_by_every_name_that_it_has(released, name) -> None:
    found = released.platform.records.trace(name)
    assert str(found.node) == "model:delay/1"
    assert {each.relation for each in found.causes} >= {"made by", "stored as", "read"}


def test_a_data_set_is_found_by_its_name_and_a_run_by_its_beginning(released) -> None:
    records = released.platform.records
    found = records.trace("dataset:flights")
    assert "model:delay/1" in {str(each.effect) for each in found.effects}
    (run,) = [each.cause.id for each in records.trace("delay/1").causes if each.relation == "made by"]
    assert records.trace(f"run:{run[:-4]}").node.id == run
    released.train(strength=2.0)
    other = released.platform.training.list(limit=1)[0].id
    with pytest.raises(NotFound, match="these begin so"):
        records.trace(f"run:{''.join(a for a, b in zip(run, other, strict=True) if a == b)[:6]}")


def test_what_nobody_recorded_is_not_found(released) -> None:
    with pytest.raises(NotFound, match="nothing is recorded about 'run:01'"):
        released.platform.records.trace("run:01")
    with pytest.raises(NotFound, match="did you mean 'delay'"):
        released.platform.records.trace("dealy/1")
    with pytest.raises(UsageError, match="kind:id"):
        released.platform.records.trace("run:")


def test_the_audit_chain_is_whole_until_a_row_is_changed(timid) -> None:
    for ref in ("delay/2", "delay/1", "delay/2"):
        timid.platform.releases.promote(ref)
    records = timid.platform.records
    numbers = [each.number for each in records.audit()]
    assert numbers == sorted(numbers, reverse=True)
    # Registered twice, deployed with its alias, moved three times.
    assert len(numbers) == 7
    assert records.broken_audit_row() is None
    with timid.platform.parts.write() as tx:
        tx.execute(update(audit).where(audit.c.number == 3).values(actor="mallory"))
    assert records.broken_audit_row() == 3


def test_a_row_that_is_taken_away_shows_even_at_the_end(timid) -> None:
    last = timid.platform.records.audit()[0].number
    with timid.platform.parts.write() as tx:
        tx.execute(delete(audit).where(audit.c.number == last))
    assert timid.platform.records.broken_audit_row() == last


def test_everything_is_exported_as_parquet_that_reads_back(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    timid.live(5)
    written = {each.table: each for each in timid.platform.records.export(timid.root / "out")}
    assert {each.file.suffix for each in written.values()} == {".parquet"}
    for each in written.values():
        assert pl.read_parquet(each.file).height == each.rows
    assert sorted(path.stem for path in (timid.root / "out").iterdir()) == sorted(written)
    predictions = pl.read_parquet(written["predictions"].file)
    # What the challenger said in the shadow is there too; it was promoted after four days.
    counts = predictions.group_by("variant").len().sort("variant")
    assert counts.rows() == [("challenger", 750), ("champion", 750)]
    assert written["labels"].rows == 750
    assert written["registry_versions"].rows == 2
    decisions = pl.read_parquet(written["ledger_decisions"].file)
    assert decisions["outcome"].to_list() == ["promoted: delay/2 against delay/1"]
    assert "labelled pairs" in json.loads(decisions["reasons"][0])[0]


def test_a_table_without_rows_keeps_its_columns(project) -> None:
    written = {each.table: each for each in project.platform.records.export(project.root / "out")}
    runs = pl.read_parquet(written["tracking_runs"].file)
    assert runs.height == 0
    assert runs.select("id", "status", "started_ms").dtypes == [pl.String, pl.String, pl.Int64]


def test_an_export_takes_any_form_of_evidence(released) -> None:
    evidence = [{}, {"a": 1}, {"a": "text", "b": [1, "two", None]}, {"a": {"c": 2.5}}]
    for number, each in enumerate(evidence):
        with released.platform.parts.write() as tx:
            released.platform.parts.decide(
                tx, "test", f"thing-{number}", "seen", ("because",), each, OPEN + number * DAY
            )
    written = {each.table: each for each in released.platform.records.export(released.root / "out")}
    kept = pl.read_parquet(written["ledger_decisions"].file).sort("at")
    assert [json.loads(each) for each in kept["evidence"]] == evidence


def test_an_export_can_be_written_again(released) -> None:
    first = released.platform.records.export(released.root / "out")
    assert released.platform.records.export(released.root / "out") == first


def test_decisions_are_listed_by_what_they_are_about(released) -> None:
    with released.platform.parts.write() as tx:
        released.platform.parts.decide(tx, "retrain", "delay", "keep the champion", ("as good",))
        released.platform.parts.decide(tx, "retrain", "other", "keep the champion", ("as good",))
    assert [each.subject for each in released.platform.records.decisions("delay")] == ["delay"]
    assert len(released.platform.records.decisions()) == 2


def test_two_decisions_of_one_second_are_both_kept(released) -> None:
    for outcome in ("wait for approval", "roll out delay/2"):
        released.clock.advance(timedelta(milliseconds=1))
        with released.platform.parts.write() as tx:
            released.platform.parts.decide(tx, "retrain", "delay", outcome, ())
    assert len(released.platform.records.decisions("delay")) == 2


def test_the_stored_model_of_a_trace_is_in_the_artifact_store(released) -> None:
    edges = released.platform.records.trace("delay/1").causes
    (digest,) = [each.cause.id for each in edges if each.relation == "stored as"]
    assert released.artifacts.exists(Digest(digest))
