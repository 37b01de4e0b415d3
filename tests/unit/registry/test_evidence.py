"""Evidence adds up, proofs queue in order, and nobody proves the same version twice at once."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, update

from mlwright.errors import NotFound
from mlwright.model.evidence import Check, EvidenceKind, Outcome, overall
from mlwright.model.ids import Digest, ModelName
from mlwright.stages.registry import evidence as store
from mlwright.stages.registry.evidence_tables import proofs
from mlwright.stages.registry.tables import metadata

AT = datetime(2013, 4, 1, tzinfo=UTC)
DELAY = ModelName("flight-delay")
HOUR = timedelta(hours=1)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def check(kind=EvidenceKind.LOAD, outcome=Outcome.PASSED, **details):
    return Check(kind=kind, outcome=outcome, summary="it loads", details=details)


def keep(tx, version, *checks, at=AT):
    return store.keep_checks(tx, DELAY, version, checks, digest=Digest("blake3:1"), at=at, actor="ada")


def test_evidence_comes_back_with_all_that_was_said(tx):
    (kept,) = keep(tx, 1, check(seconds=0.5, warnings=["w"], worst=float("nan")))
    assert store.list_evidence(tx, DELAY, 1) == (kept,)
    assert (kept.kind, kept.outcome, kept.at, kept.actor) == ("load", Outcome.PASSED, AT, "ada")
    assert kept.details == {"digest": "blake3:1", "seconds": 0.5, "warnings": ["w"], "worst": "NaN"}


def test_what_was_found_before_stays(tx):
    keep(tx, 1, check(), check(EvidenceKind.SCAN))
    keep(tx, 1, check(outcome=Outcome.FAILED), at=AT + HOUR)
    keep(tx, 2, check())
    assert [each.outcome for each in store.list_evidence(tx, DELAY, 1, kind="load")] == ["failed", "passed"]
    latest = store.latest_evidence(tx, DELAY, 1)
    assert [(each.kind, each.outcome) for each in latest] == [("scan", "passed"), ("load", "failed")]


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        ("pp", "passed"),
        ("pu", "unknown"),
        ("uf", "failed"),
        ("", "unknown"),
    ],
)
def test_nothing_unknown_counts_as_passed(outcomes, whole):
    words = {"p": Outcome.PASSED, "u": Outcome.UNKNOWN, "f": Outcome.FAILED}
    assert overall([words[each] for each in outcomes]) == whole


def test_proofs_are_taken_in_the_order_in_which_they_were_asked_for(tx):
    for version, asked in ((3, AT), (1, AT + HOUR), (2, AT + 2 * HOUR)):
        store.queue_proof(tx, DELAY, version, asked)
    store.queue_proof(tx, DELAY, 3, AT + 3 * HOUR)  # asked again while it waits: its place is kept
    assert store.take_proof(tx, AT).ref == "flight-delay/3"
    assert store.take_proof(tx, AT).ref == "flight-delay/1"
    assert store.proof_state(tx, DELAY, 1).state == "running"
    assert store.take_proof(tx, AT).ref == "flight-delay/2"
    assert store.take_proof(tx, AT) is None


def test_a_proof_that_ended_can_be_asked_for_again(tx):
    store.queue_proof(tx, DELAY, 1, AT)
    store.take_proof(tx, AT + HOUR)
    store.end_proof(tx, DELAY, 1, Outcome.FAILED, AT + 2 * HOUR)
    state = store.proof_state(tx, DELAY, 1)
    assert (state.state, state.asked, state.started, state.ended) == ("failed", AT, AT + HOUR, AT + 2 * HOUR)
    store.queue_proof(tx, DELAY, 1, AT + 3 * HOUR)
    assert (store.proof_state(tx, DELAY, 1).state, store.proof_state(tx, DELAY, 1).ended) == ("queued", None)


def test_a_proof_that_nobody_asked_for(tx):
    with pytest.raises(NotFound, match="models prove flight-delay/9"):
        store.proof_state(tx, DELAY, 9)
    with pytest.raises(NotFound):
        store.end_proof(tx, DELAY, 9, Outcome.PASSED, AT)


def test_what_a_dead_process_left_is_queued_again(tx):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for version, pid in ((1, gone.pid), (2, os.getpid())):
        store.begin_proof(tx, DELAY, version, AT)
        tx.execute(update(proofs).where(proofs.c.version == version).values(pid=pid))
    assert [each.ref for each in store.requeue_lost(tx, AT + HOUR)] == ["flight-delay/1"]
    assert store.proof_state(tx, DELAY, 1).state == "queued"
    assert store.proof_state(tx, DELAY, 2).state == "running"


def test_a_process_of_another_host_is_given_hours(tx):
    store.begin_proof(tx, DELAY, 1, AT)
    tx.execute(update(proofs).values(host=f"not-{socket.gethostname()}", pid=1))
    assert store.requeue_lost(tx, AT + HOUR) == ()
    assert len(store.requeue_lost(tx, AT + 7 * HOUR)) == 1
