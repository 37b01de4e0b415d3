"""Tools that read a running project, against what the command line says of the same."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlwright.doors.cli.main import cli
from mlwright.doors.mcp.server import make_server
from mlwright.doors.mcp.workplace import Workplace
from mlwright.engineer.asking.commands import is_known

from .conftest import error_of, talk

pytestmark = pytest.mark.slow


def typed(project: Path, *words: str) -> object:
    done = CliRunner().invoke(cli, ["--project", str(project), *words, "--json"])
    return json.loads(done.stdout)


def files(project: Path) -> dict[str, bytes]:
    """What stands in a project; files of SQLite and locks come and go with whoever reads."""
    return {
        str(each): each.read_bytes()
        for each in project.rglob("*")
        if each.is_file() and not each.name.endswith(("-wal", "-shm", "lock"))
    }


def test_every_tool_reads_what_the_project_recorded(project: Path) -> None:
    async def read(client) -> dict[str, dict[str, object]]:
        calls = {
            "compare_runs": {},
            "lineage": {"subject": "churn/1"},
            "what_changed": {"since": "1h"},
            "rollout_status": {"endpoint": "churn"},
            "query_metrics": {"endpoint": "churn", "by": "month", "drift": True},
            "runbook": {"endpoint": "churn"},
            "doctor": {},
            "diagnose": {"endpoint": "churn"},
        }
        made = {}
        for name, arguments in calls.items():
            done = await client.call_tool(name, arguments)  # the client holds it against the tool's schema
            assert not done.is_error, done.content[0].text
            made[name] = done.structured_content
        return made

    before = files(project)
    said = talk(make_server(Workplace(project)), read)
    assert files(project) == before
    runs = {each["id"]: each for each in typed(project, "runs")}
    first, second = (said["compare_runs"][each]["id"] for each in ("first", "second"))
    assert {first, second} == set(runs)
    assert runs[first]["started"] < runs[second]["started"]
    for metric in said["compare_runs"]["metrics"]:
        assert metric["first"] == runs[first]["metrics"][metric["name"]]
        assert metric["change"] == pytest.approx(metric["second"] - metric["first"])
    assert {each["name"] for each in said["compare_runs"]["params"]} == {"holdout"}
    assert said["compare_runs"]["same_code"] is True
    assert said["lineage"]["trace"] == typed(project, "trace", "churn/1")
    assert {each["version"] for each in said["what_changed"]["versions"]} == {1, 2}
    assert said["what_changed"]["audit"] == typed(project, "audit", "--limit", "50")
    assert said["rollout_status"]["running"] == []
    assert said["query_metrics"]["performance"] == []
    assert any("monitor churn --update" in each for each in said["query_metrics"]["limits"])
    assert said["doctor"]["well"] is True
    assert any("pipelines was left out" in each for each in said["doctor"]["limits"])
    for entry in said["runbook"]["entries"]:
        for command in (*entry["look"], *entry["act"]):
            assert is_known(command["command"]), command
    assert {"auc", "labels"} <= {entry["rule"] for entry in said["runbook"]["entries"]}
    assert any("churn" in each["text"] for each in said["diagnose"]["evidence"])


def test_what_is_not_there_is_named(project: Path) -> None:
    async def ask(client) -> list[dict[str, object]]:
        calls = (
            ("query_metrics", {"endpoint": "churm"}),
            ("query_metrics", {"endpoint": "churn", "start": "soon"}),
            ("query_metrics", {"endpoint": "churn", "start": "2025-02-01", "end": "2025-01-01"}),
            ("rollout_status", {"endpoint": "churm"}),
            ("lineage", {"subject": "model:churn/99"}),
            ("compare_runs", {"first": "01NOSUCHRUN"}),
            ("runbook", {"alert": "churn-auc-2025-01-01"}),
            ("diagnose", {"endpoint": "churm"}),
        )
        return [error_of(await client.call_tool(name, arguments)) for name, arguments in calls]

    errors = talk(make_server(Workplace(project)), ask)
    codes = [
        "NotFound",
        "UsageError",
        "UsageError",
        "NotFound",
        "NotFound",
        "NotFound",
        "NotFound",
        "NotFound",
    ]
    assert [each["code"] for each in errors] == codes
    assert "churn" in str(errors[0]["what"])
