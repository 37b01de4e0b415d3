"""From a pipeline to a recorded run and a registered version."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlwright.errors import DataError, GateFailed, NotFound, StepFailed, UsageError
from mlwright.model.ids import RunId
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.model.tracking import RunStatus
from mlwright.model.watch_settings import MonitorSettings
from mlwright.platform.held_out import held_out_metrics
from mlwright.stages.pipelines.workbench import Scores
from mlwright.stages.tracking import store as tracking

MARCH = datetime(2013, 3, 1, tzinfo=UTC)


def begin(project, pid: int) -> RunId:
    """A run that some process has begun."""
    with project.platform.parts.write() as tx:
        return tracking.create_run(tx, experiment="airport", name="slow", at=MARCH, actor="ada", pid=pid).id


def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_is_recorded_with_all_that_it_used_and_made(project) -> None:
    given = {"start": "2013-01-01", "end": "2013-03-01", "holdout": "7d"}
    run = project.platform.training.run("train_delay", given, tags={"why": "test"})
    assert (run.status, run.name, run.actor, run.error) == (RunStatus.FINISHED, "train_delay", "tester", None)
    assert run.params == {
        "start": "2013-01-01",
        "end": "2013-03-01",
        "holdout": "7d",
        "floor": "0.6",
        "strength": "4.0",
        "recipe": "slopes",
    }
    assert run.metrics.keys() >= {"holdout_auc", "holdout_brier", "holdout_f1", "holdout_rows", "fit_rows"}
    assert 0.82 < run.metrics["holdout_auc"] < 0.92
    assert run.tags["gate.1"] == "passed: AUC above 0.6"
    assert (run.tags["model"], run.tags["why"]) == ("delay/1", "test")
    assert [key for key in run.tags if key.startswith("step.")] == ["step.1", "step.2"]
    assert {(each.name, each.rows, each.contract) for each in run.datasets} == {
        ("flights", 27_000, "flights@1.0.0"),
        ("weather", 27_000, "none"),
    }
    assert run.environment is not None
    assert run.environment.seed == 3
    assert "polars" in run.environment.packages


def test_the_version_carries_its_evidence_and_where_it_came_from(project) -> None:
    ref = project.train()
    version = project.platform.releases.version(ref)
    assert version.evaluation is not None
    assert (version.evaluation.end - version.evaluation.start).days == 14
    # The model itself has learned from the held-out rows too, up to the last label that was there.
    assert version.trained_to == version.evaluation.end
    found = project.platform.records.trace(ref)
    assert {str(each.cause).partition(":")[0] for each in found.causes} == {
        *("run", "artifact", "dataset", "contract", "code")
    }


def test_a_gate_that_does_not_hold_fails_the_run_and_registers_nothing(project) -> None:
    with pytest.raises(GateFailed, match=r"AUC above 0\.99"):
        project.train(floor=0.99)
    (run,) = project.platform.training.list(failed=True)
    assert (run.status, run.ended) == (RunStatus.FAILED, project.clock.now())
    assert "AUC above 0.99" in str(run.error)
    assert run.tags["gate.1"] == "failed: AUC above 0.99"
    assert project.platform.releases.models() == ()


def test_a_step_that_raises_fails_the_run_and_is_named(project) -> None:
    with pytest.raises(StepFailed, match="'explode' failed once: RuntimeError: the oven is cold") as failure:
        project.platform.training.run("burn", {})
    assert isinstance(failure.value.__cause__, RuntimeError)
    (run,) = project.platform.training.list()
    assert (run.status, run.tags["step.1"].partition(" in ")[0]) == (RunStatus.FAILED, "explode failed")
    assert "the oven is cold" in str(run.error)


def test_a_run_that_is_interrupted_is_not_a_failure_of_the_pipeline(project) -> None:
    (project.root / "pipeline.py").write_text(
        "from mlwright import pipeline\n@pipeline\ndef stop():\n    raise KeyboardInterrupt\n"
    )
    with pytest.raises(KeyboardInterrupt):
        project.platform.training.run("stop", {})
    assert [each.status for each in project.platform.training.list()] == [RunStatus.KILLED]


def test_runs_whose_process_is_gone_are_marked_as_killed_once(project) -> None:
    dead, alive = begin(project, gone()), begin(project, os.getppid())
    training = project.platform.training
    assert (training.recover(), training.recover()) == (1, 0)
    assert (training.get(dead).status, training.get(alive).status) == (RunStatus.KILLED, RunStatus.RUNNING)
    assert "without ending the run" in str(training.get(dead).error)


def test_a_killed_run_whose_process_number_we_were_given_is_killed_too(project) -> None:
    # In a container every first process has the number 1.
    begin(project, os.getpid())
    assert project.platform.training.recover() == 1


def test_an_unknown_pipeline_gets_the_near_one(project) -> None:
    with pytest.raises(NotFound, match="did you mean 'train_delay'") as refusal:
        project.platform.training.run("train_dealy", {})
    assert refusal.value.next_command == "mlwright run --list"
    assert project.platform.training.list() == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"start": "2013-01-01", "edn": 1}, "did you mean 'end'"), ({}, "needs start, end")],
    ids=["unknown", "missing"],
)
def test_wrong_parameters_are_refused_before_a_run_begins(project, given, said) -> None:
    with pytest.raises(UsageError, match=said):
        project.platform.training.run("train_delay", given)
    assert project.platform.training.list() == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", "int 3"),
        ("0.5", "float 0.5"),
        ("true", "bool True"),
        ("2013-04-01", "date 2013-04-01"),
        ("14d", "str 14d"),
    ],
)
def test_typed_parameters_become_what_they_read_as(project, text, value) -> None:
    (project.root / "pipeline.py").write_text(
        "from mlwright import log, pipeline\n@pipeline\ndef say(what):\n"
        "    log(params={'heard': f'{type(what).__name__} {what}'})\n"
    )
    assert project.platform.training.run("say", {"what": text}).params["heard"] == value


def test_rows_without_the_label_of_an_endpoint_cannot_be_judged(project) -> None:
    path = project.root / "pipeline.py"
    source = path.read_text()
    path.write_text(
        source.replace("evaluate(train(fit, strength), hold)", "evaluate(train(fit), hold.drop('late'))")
    )
    with pytest.raises(DataError, match="label"):
        project.train()


def test_a_model_whose_rows_have_no_instant_is_not_registered(project) -> None:
    path = project.root / "pipeline.py"
    source = path.read_text()
    path.write_text(source.replace("trained_on=rows)", "trained_on=rows.drop('predict_at'))"))
    with pytest.raises(DataError, match="predict_at"):
        project.train()


def test_a_second_endpoint_does_not_change_what_a_model_is_judged_by(project) -> None:
    first = project.settings.endpoints[0]
    other = replace(first, name="other", timestamp="arrived", label=replace(first.label, column="late"))
    project.settings = replace(project.settings, endpoints=(other, first))
    project.open()
    assert project.train() == "delay/1"


def test_a_number_is_evaluated_as_a_number_and_a_metric_that_was_not_measured_says_what_was() -> None:
    random = np.random.default_rng(2)
    at = pl.datetime_range(MARCH, MARCH + timedelta(days=9), "1h", eager=True)
    rows = pl.DataFrame({"at": at, "y": random.normal(10, 2, len(at))})
    settings = EndpointSettings(
        name="price",
        model="price@champion",
        timestamp="at",
        label=LabelSettings(column="y", horizon=timedelta(hours=1)),
        monitor=MonitorSettings(task="regression", metric="mae"),
    )
    said = rows["y"].to_numpy() + 0.5
    metrics = held_out_metrics(rows["y"].to_numpy(), said, rows, settings)
    assert metrics["mae"] == pytest.approx(0.5)
    assert metrics["rmse"] == pytest.approx(0.5)
    scores = Scores(metrics=metrics, rows=len(at), holdout=rows)
    assert scores["mae"] == metrics["mae"]
    with pytest.raises(DataError, match="did you mean 'mae'") as refusal:
        scores["maee"]
    assert "rmse" in str(refusal.value.why)
    with pytest.raises(DataError, match="'auc' was not measured"):
        _ = scores.auc
