"""What a real project of ours tells the running.* probes: as the example stands after its first steps, and in use."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_limits

from mlwright.doors.cli.main import cli
from mlwright.engineer.catalogue import own_probes
from mlwright.engineer.collect.running import facts_of_project
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.engineer.probing import ask
from mlwright.model.assessment import Profile, RepositoryKind
from mlwright.model.findings import Finding, Outcome
from mlwright.model.ids import EndpointName
from mlwright.model.instants import to_micros
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Performance
from mlwright.model.predictions import LabelBlock
from mlwright.model.windows import Window
from mlwright.platform.facade import Platform
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.journal import Journal
from mlwright.stages.tracking import store as tracking
from mlwright.testing.fakes.clock import ManualClock
from mlwright.wiring.project import close, open_platform

RUNNING = [probe for probe in own_probes() if probe.id.startswith("running.")]
DAY = timedelta(days=1)


def typed(folder: Path, *words: str) -> None:
    done = CliRunner().invoke(cli, ["--project", str(folder), *words])
    assert done.exit_code == 0, f"{words}: {done.output}"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tabular example in git, after what its README says to type."""
    folder = tmp_path_factory.mktemp("project") / "churn"
    assert CliRunner().invoke(cli, ["init", str(folder)]).exit_code == 0
    commit = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "first"]
    for command in (["git", "init", "-q", "."], ["git", "add", "."], commit):
        subprocess.run(command, cwd=folder, check=True)
    with threadpool_limits(limits=1, user_api="openmp"):
        for line in ("features", "run train_churn", "deploy churn churn/1"):
            typed(folder, *line.split())
    return folder


@pytest.fixture
def platform(example: Path, tmp_path: Path) -> Iterator[Platform]:
    """The test's own copy, at the instant of its first run."""
    opened = open_platform(Path(shutil.copytree(example, tmp_path / "churn")))
    yield opened
    close(opened)


def findings(server: ServerFacts) -> Mapping[str, Finding]:
    profile = Profile(
        kind=RepositoryKind.APPLICATION, trains=True, serves=True, frameworks=(), tools=(), reasons=()
    )
    repository = Repository(name="churn", files=(), profile=profile, server=server)
    return {each.id.removeprefix("running."): each for each in ask(repository, RUNNING)}


def outcomes(server: ServerFacts) -> dict[Outcome, set[str]]:
    by: dict[Outcome, set[str]] = {each: set() for each in Outcome}
    for name, finding in findings(server).items():
        by[finding.outcome].add(name)
    return by


def test_first_steps_already_show_what_mlwright_does_by_itself(platform: Platform) -> None:
    found = outcomes(facts_of_project(platform))
    assert found[Outcome.TRUE] == {
        *("trained_recently", "runs_name_commit", "runs_clean", "runs_keep_environment", "runs_keep_data"),
        *("metrics_recorded", "params_recorded", "versions_from_runs", "versions_gated", "versions_signed"),
        *("champion_named", "champion_fresh", "checks_recent", "audited"),
    } | (found[Outcome.TRUE] & {"slo_set"})
    assert found[Outcome.FALSE] <= {"slo_set", "alerts_reach", "retrains_by_itself"}
    assert found[Outcome.ERROR] == set()
    assert {"predictions_logged", "labels_arrive", "rollouts_judged"} <= found[Outcome.NOT_AVAILABLE]


def test_the_same_project_half_a_year_later(platform: Platform) -> None:
    later = platform.parts.clock.now() + 200 * DAY
    found = findings(facts_of_project(platform, later))
    assert found["trained_recently"].outcome is Outcome.FALSE
    assert found["champion_fresh"].outcome is Outcome.FALSE
    assert found["trained_recently"].values["age_days"] == 200
    assert found["runs_keep_data"].outcome is Outcome.TRUE


def test_asked_twice_it_says_the_same(platform: Platform) -> None:
    seen = platform.parts.clock.now()
    assert facts_of_project(platform, seen) == facts_of_project(platform, seen)


def served(platform: Platform, days: int, labels: int) -> datetime:
    """Answer 10 customers a day for some days up to now, and send the truth about some of them."""
    now = platform.parts.clock.now()
    horizon = platform.parts.endpoint("churn").label.horizon
    at = [now - horizon - DAY * (number / 10) for number in range(days * 10)]
    keys = [f"c{number}" for number in range(len(at))]
    journal = Journal(platform.parts.settings.state / "log", platform.parts.clock)
    journal.append(
        PredictionBlock(
            endpoint="churn",
            variant="champion",
            model_version="churn/1",
            generation=1,
            logged_at=to_micros(now),
            latency_us=900,
            prediction_ids=[f"p-{key}" for key in keys],
            entity_keys=keys,
            event_times=[to_micros(each) for each in at],
            served=[True] * len(at),
            scores=[0.5] * len(at),
            features={},
        ),
        LabelBlock(
            endpoint="churn",
            received_at=to_micros(now),
            prediction_ids=[],
            entity_keys=keys[:labels],
            labels=[1.0] * labels,
            observed_at=[to_micros(now)] * labels,
        ),
    )
    journal.close()
    return now


def test_predictions_without_labels(platform: Platform) -> None:
    now = served(platform, days=20, labels=0)
    [endpoint] = (facts := facts_of_project(platform, now)).endpoints or ()
    assert (endpoint.predictions, endpoint.labels) == (200, 0)
    assert endpoint.ripe >= 199
    assert endpoint.released == 1
    found = findings(facts)
    assert found["predictions_logged"].outcome is Outcome.TRUE
    assert found["labels_arrive"].outcome is Outcome.FALSE
    # Whoever has no truth cannot be told off for not measuring by it.
    assert found["quality_evaluated"].outcome is Outcome.NOT_AVAILABLE


def test_labels_and_a_turn_of_the_loop(platform: Platform) -> None:
    now = served(platform, days=20, labels=200)
    platform.watch.watch("churn")
    found = findings(facts_of_project(platform, now))
    assert found["labels_arrive"].outcome is Outcome.TRUE
    assert found["quality_evaluated"].outcome is Outcome.TRUE
    assert found["quality_evaluated"].values["age_days"] <= 2


def test_labels_for_two_months_that_nobody_looks_at(platform: Platform) -> None:
    now = served(platform, days=60, labels=600)
    found = findings(facts_of_project(platform, now))
    assert found["quality_evaluated"].outcome is Outcome.FALSE
    assert "never evaluated" in found["quality_evaluated"].evidence


def test_a_run_that_an_alert_started(platform: Platform) -> None:
    """The retraining's own decision tells what started its runs; one by hand does not count."""
    start = platform.parts.clock.now() + DAY
    reasons = ("asked for by hand", "alert auc-churn-1: AUC fell", "the monthly schedule of 2026-03-01")
    with platform.parts.write() as tx:
        for number, reason in enumerate(reasons):
            at = start + number * timedelta(hours=1)
            run = tracking.create_run(tx, experiment="churn", name="train_churn", at=at, actor="a")
            tracking.set_tags(tx, run.id, {"window": "all", "endpoint": "churn", "gate.1": "failed: x"})
            ledger.add_decision(
                tx,
                Decision(
                    id=f"d{number}",
                    at=at + timedelta(minutes=30),
                    kind="retrain",
                    subject="churn",
                    outcome="keep the champion",
                    reasons=(reason,),
                ),
            )
    runs = facts_of_project(platform, start + DAY).runs
    assert [run.scheduled for run in runs] == [True, True, False, False]
    assert [run.gates_failed for run in runs] == [1, 1, 1, 0]


def test_a_contract_that_refused(platform: Platform) -> None:
    at = platform.parts.clock.now().replace(microsecond=0) + DAY  # runs begin and end by the millisecond
    said = "dataset customers: 2 rules of the contract customers@1.0.0 do not hold\n  - price: null"
    with platform.parts.write() as tx:
        run = tracking.create_run(tx, experiment="churn", name="train_churn", at=at, actor="a")
        tracking.end_run(tx, run.id, tracking.RunStatus.FAILED, at, said)
    facts = facts_of_project(platform, at + DAY)
    assert ("customers", at, False) in (facts.checks or ())
    assert any(kept for _, _, kept in facts.checks or ())
    assert findings(facts)["checks_have_rejected"].outcome is Outcome.TRUE


def test_an_audit_row_that_was_changed(platform: Platform) -> None:
    with platform.parts.write() as tx:
        tx.exec_driver_sql("UPDATE ledger_audit SET actor = 'nobody' WHERE number = 1")
    assert findings(facts_of_project(platform))["audited"].outcome is Outcome.FALSE


def test_an_evaluation_counts_from_when_its_labels_were_due(platform: Platform) -> None:
    """Where labels take two months, the newest window that can be evaluated is two months old."""
    settings = platform.parts.settings
    endpoint = settings.endpoints[0]
    slow = replace(endpoint, label=replace(endpoint.label, horizon=60 * DAY))
    now = datetime(2026, 6, 30, tzinfo=UTC)
    parts = replace(platform.parts, settings=replace(settings, endpoints=(slow,)), clock=ManualClock(now))
    window = Window(start=now - 62 * DAY, end=now - 61 * DAY)
    with parts.write() as tx:
        monitoring.save_performance(
            tx,
            Performance(
                endpoint=EndpointName("churn"),
                window=window,
                predictions=10,
                labelled=9,
                matured=True,
                positive_rate=None,
                mean_score=None,
            ),
            "day",
        )
    [watched] = facts_of_project(Platform(parts)).endpoints or ()
    assert watched.last_evaluation == now - DAY


def test_importing_the_collector_is_cheap() -> None:
    """Assessing a repository that knows nothing of us must not load the data libraries."""
    program = "import sys; import mlwright.engineer.collect.running; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"polars", "sqlalchemy", "scipy", "sklearn", "mlwright.platform.facade"}
