"""Objectives on the command line, and what leaves for Prometheus and other tools."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from mlwright.doors.cli.commands.slo import _shown
from mlwright.doors.cli.show import paper
from mlwright.model.ids import EndpointName
from mlwright.model.slos import SPANS, Objective, ObjectiveKind, Tally
from mlwright.stages.monitoring.burn import status_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_objectives_of_a_project(deployed) -> None:
    found = deployed.json("slo")
    assert [each["objective"]["kind"] for each in found][:2] == ["latency", "availability"]
    assert found[0]["budget_left"] is None
    assert {each["objective"]["endpoint"] for each in deployed.json("slo", "churn")} == {"churn"}
    shown = deployed("slo")
    assert shown.exit_code == 0, shown.output
    assert "99% of answers within" in shown.output
    wrong = deployed("slo", "chrun", "--json")
    assert wrong.exit_code == 3
    assert "did you mean 'churn'" in wrong.output


def test_budgets_as_bars(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    objective = Objective(
        endpoint=EndpointName("delay"),
        kind=ObjectiveKind.AVAILABILITY,
        target=0.999,
        window=timedelta(days=30),
        promise="99.9 % of requests answered over 30 days",
    )
    burning = {span: Tally(good=98, total=100) for span in SPANS}
    rows = [
        status_of(objective, Tally(good=99_950, total=100_000), burning, at=NOW),
        status_of(objective, Tally(good=99_000, total=100_000), burning, at=NOW),
        status_of(objective, Tally(), {span: Tally() for span in SPANS}, at=NOW),
    ]
    paper().print(_shown(rows))
    lines = capsys.readouterr().out.splitlines()
    assert any("██████████░░░░░░░░░░ 50%" in line and "20×" in line and "18.0 h" in line for line in lines)
    assert any("░░░░░░░░░░░░░░░░░░░░ spent 10 times" in line and "used up" in line for line in lines)


@pytest.mark.parametrize("words", [["prometheus-rules"], ["monitoring"], ["monitoring", "--csv"]], ids=str)
def test_what_leaves(deployed, tmp_path, words) -> None:
    name, *options = words
    done = deployed("export", name, str(tmp_path / "out"), *options)
    assert done.exit_code == 0, done.output
    files = {each.name for each in (tmp_path / "out").iterdir()}
    if name == "prometheus-rules":
        assert files == {"mlwright.rules.yml", "mlwright.rules.test.yml"}
        groups = yaml.safe_load((tmp_path / "out/mlwright.rules.yml").read_text())["groups"]
        assert [each["name"] for each in groups] == [
            "mlwright-churn-records",
            "mlwright-churn-alerts",
            "mlwright-loop",
        ]
    else:
        assert f"slo_windows.{'csv' if options else 'parquet'}" in files
