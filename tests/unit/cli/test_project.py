"""From an empty folder to an endpoint, typed as a new user types it."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from mlwright.doors.cli.main import cli
from mlwright.doors.cli.projects import project_names


def init(*words: str):
    return CliRunner().invoke(cli, ["init", *words])


@pytest.mark.parametrize("name", ["tabular", "flights"])
def test_init_writes_a_complete_project(tmp_path, name) -> None:
    done = init(str(tmp_path / "new"), "--from", name, "--json")
    made = json.loads(done.stdout)
    there = {
        path.relative_to(tmp_path / "new").as_posix()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert there == set(made["files"])
    assert {"mlwright.toml", "pipeline.py", "data.py", ".gitignore"} <= there
    assert sum(path.endswith(".odcs.yaml") for path in there) == 2
    assert made["next_commands"][0] == f"cd {tmp_path / 'new'}"


def test_the_readme_types_what_these_tests_type(repository, first_steps) -> None:
    text = (repository / "examples/tabular/README.md").read_text(encoding="utf-8")
    typed = [line.partition("#")[0].split() for line in text.split("```sh\n")[1].split("```")[0].splitlines()]
    assert typed == [["mlwright", *line.split()] for line in (*first_steps, "up")]


def test_init_never_overwrites(tmp_path) -> None:
    (tmp_path / "pipeline.py").write_text("mine", encoding="utf-8")
    done = init(str(tmp_path))
    assert done.exit_code == 4
    assert "- pipeline.py: exists" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.py"]
    assert (tmp_path / "pipeline.py").read_text(encoding="utf-8") == "mine"


def test_init_leaves_state_behind() -> None:
    assert {"tabular", "flights"} <= set(project_names())


@pytest.mark.parametrize("name", ["flihgts", "../examples/flights", "/etc"])
def test_init_of_an_unknown_example(tmp_path, name) -> None:
    done = init(str(tmp_path / "new"), "--from", name)
    assert done.exit_code == 3
    assert not (tmp_path / "new").exists()


def test_check_reports_what_was_done(deployed) -> None:
    done = deployed("check")
    assert done.exit_code == 0
    assert "tickets_reported" in done.stdout
    reports = deployed.json("check")
    assert [(each["dataset"], each["rows"]) for each in reports] == [("renewals", 6000), ("usage", 31200)]


def test_check_exits_with_1_where_a_contract_is_broken(written, edit) -> None:
    edit(written.folder / "contracts/renewals.odcs.yaml", "[basic, family, pro]", "[basic, family]")
    done = written("check", "renewals")
    assert done.exit_code == 1
    assert "renewals breaks its contract" in done.stdout
    (report,) = written.json("check", "renewals", code=1)
    (broken,) = [each for each in report["results"] if each["rule"]["id"] == "known_plans"]
    assert broken["passed"] is False
    assert broken["failing_rows"] == 1197


def test_a_broken_contract_stops_training(written, edit) -> None:
    edit(written.folder / "contracts/renewals.odcs.yaml", "[basic, family, pro]", "[basic, family]")
    done = written("run", "train_churn")
    assert done.exit_code == 1
    assert "1 rule of the contract renewals@1.0.0 does not hold" in done.stderr
    (failed,) = written.json("runs", "--failed")
    assert failed["status"] == "FAILED"


def test_the_run_and_its_model(deployed) -> None:
    (run,) = deployed.json("runs")
    assert run["status"] == "FINISHED"
    assert run["tags"]["model"] == "churn/1"
    assert run["metrics"]["holdout_auc"] > run["metrics"]["baseline_auc"] + 0.1
    assert {each["name"] for each in run["datasets"]} == {"renewals", "usage"}
    one = deployed("runs", run["id"])
    assert "holdout_auc" in one.stdout
    version = deployed.json("models", "churn@champion")
    assert version == deployed.json("models", "show", "churn/1")
    assert {each["kind"] for each in version.pop("evidence")} >= {"package", "scan", "signature"}
    assert version == deployed.json("models")[0]
    assert version["run"] == run["id"]
    assert [each["name"] for each in version["signature"]["inputs"]][-2:] == ["sessions", "minutes"]
    assert "churn/1" in deployed("models").stdout


def test_the_endpoint(deployed) -> None:
    (status,) = deployed.json("endpoints")
    assert status["champion"]["version"] == 1
    assert status["route"]["variants"][0]["share"] == 1.0
    assert "churn/1 100%" in deployed("endpoints", "churn").stdout


def test_trace_goes_both_ways(deployed) -> None:
    text = deployed("trace", "churn/1").stdout
    assert "read dataset:renewals@" in text
    assert "serves endpoint:churn" in text
    causes = deployed.json("trace", "endpoint:churn")["causes"]
    assert {each["cause"]["kind"] for each in causes} >= {"model", "run", "dataset", "contract", "artifact"}


def test_pipelines_are_listed(deployed) -> None:
    assert deployed.json("run", "--list")["train_churn"]["parameters"].startswith("start=2025-01-01, ")


def test_promote_moves_an_alias(copied) -> None:
    assert copied.json("models", "promote", "churn/1", "--alias", "tried")["aliases"] == ["champion", "tried"]
    assert copied.json("models", "churn@tried")["version"] == 1
    assert copied.json("audit", "--limit", "1")[0]["action"] == "alias"
    assert copied.json("audit", "--verify") == {"intact": True, "first_broken_row": None}


def test_export_writes_what_is_stored(deployed, tmp_path) -> None:
    assert "data" in deployed.json("export", "--list")
    written = {each["table"]: each for each in deployed.json("export", "data", str(tmp_path / "out"))}
    runs = pl.read_parquet(written["tracking_runs"]["file"])
    assert runs.height == written["tracking_runs"]["rows"] == 1
    assert {"predictions", "labels"} <= set(written)


def test_a_second_rollout_from_start_to_abort(copied) -> None:
    assert copied("run", "train_churn", "-p", "end=2025-07-01").exit_code == 0
    started = copied.json("rollout", "start", "churn", "churn/2")
    assert started["state"] == "running"
    assert started == copied.json("rollout", "status", "churn")
    for taken in ("churn/1", "churn/2"):
        assert copied("rollout", "start", "churn", taken).exit_code == 4
    assert "shadow" in copied("rollout", "status", "churn").stdout
    ended = copied.json("rollout", "abort", "churn", "--reason", "a test")
    assert ended["state"] == "aborted"
    assert copied.json("rollout", "status", "churn") is None
    assert "aborted" in copied("rollout", "list").stdout
    assert copied.json("endpoints")[0]["route"]["variants"][0]["version"] == 1


def test_where_nothing_happened_yet_a_word_says_so(deployed) -> None:
    for line in (
        "alerts",
        "decisions",
        "monitor churn",
        "monitor churn --drift --slices",
        "rollout list",
        "runs --failed",
    ):
        done = deployed(*line.split())
        assert done.exit_code == 0, done.output
        assert done.stdout.strip(), line
    assert deployed.json("decisions") == []
    nothing = {name: [] for name in ("performance", "young", "slices", "drift", "joint")}
    assert deployed.json("monitor", "churn", "--drift") == {
        **nothing,
        "drift_by_part": None,
        "maturity": None,
        "verdict": None,
        "data": None,
        "metric": "auc",
    }


def test_a_turn_of_the_loop(copied) -> None:
    (turn,) = copied.json("tick")
    assert turn["endpoint"] == "churn"
    assert turn["watched"]["days"] == []


def test_the_schema_is_json() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["settings-schema"]).stdout)
    assert schema["title"] == "mlwright.toml"
    assert "endpoint" in schema["properties"]


def test_a_project_is_found_from_below(deployed, monkeypatch) -> None:
    monkeypatch.chdir(deployed.folder / "contracts")
    done = CliRunner().invoke(cli, ["models", "--json"])
    assert Path.cwd().name == "contracts"
    assert len(json.loads(done.stdout)) == 1
