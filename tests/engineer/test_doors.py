"""What the engineer can do, every door can do, or a written reason says why not; the HTTP door does it for real."""

import inspect
import runpy
from pathlib import Path

import pytest

import mlwright.doors
from mlwright.doors.cli.projects import write_project
from mlwright.engineer.engineer import Engineer

DOORS = Path(mlwright.doors.__file__).parent
PLACES = {"cli": DOORS / "cli" / "commands", "http": DOORS / "http" / "control", "mcp": DOORS / "mcp"}
EXCUSED = {
    (
        "cli",
        "look",
    ): "reads facts for who judges them in the same breath: assess does both, and shows what was read",
    (
        "http",
        "look",
    ): "reads facts for who judges them in the same breath: assess does both, and shows what was read",
    (
        "mcp",
        "look",
    ): "reads facts for who judges them in the same breath: assess does both, and shows what was read",
    ("cli", "judge"): "judges facts that were read before, which no command keeps: assess reads and judges",
    ("http", "judge"): "judges facts that were read before, which no request keeps: assess reads and judges",
    ("mcp", "judge"): "judges facts that were read before, which no call keeps: assess reads and judges",
    ("http", "apply"): "writes files; a person must see the difference first, which the command line shows",
    (
        "mcp",
        "ask",
    ): "an agent asks in its own words; propose and diagnose are the same answers as typed tools",
    (
        "mcp",
        "plan_fixes",
    ): "the tool apply_fix plans through engineer.fixing, because it binds the plan to an id",
    (
        "mcp",
        "apply",
    ): "the tool apply_fix writes through engineer.fixing, after the agent sent the plan's id back",
}


def methods() -> list[str]:
    return [name for name, _ in inspect.getmembers(Engineer, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("door", PLACES)
@pytest.mark.parametrize("method", methods())
def test_every_door_reaches_it_or_says_why_not(door, method) -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted(PLACES[door].glob("*.py")))
    reached = any(f"{who}.{method}(" in source for who in ("engineer", "_engineer()"))
    assert reached != ((door, method) in EXCUSED), (door, method)


def test_excuses_are_sentences_about_what_exists() -> None:
    assert all(len(reason) >= 40 for reason in EXCUSED.values())
    assert {method for _, method in EXCUSED} <= set(methods())


@pytest.fixture
def served(tmp_path: Path):
    """A browser at the control process of a new project."""
    project = tmp_path / "churn"
    write_project("tabular", project)
    bench = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "web" / "bench.py"))
    opened = bench["Bench"]()
    yield bench["Browser"](opened.open(project))
    opened.close()


def test_the_engineer_answers_over_http(served) -> None:
    report = served.get("/api/engineer/assessment").json()
    assert report["profile"]["kind"] == "application"
    assert {each["id"] for each in report["rubrics"]} >= {"ml-test-score", "google", "ai-act"}
    answer = served.get("/api/engineer/answer?question=our+accuracy+has+been+falling").json()
    assert "decay" in str(answer["reading"])
    assert served.get("/api/engineer/answer").status_code == 400
    assert served.get("/api/engineer/probes/data.contract").json()["severity"] == "error"
    assert served.get("/api/engineer/probes/data.contrakt").status_code == 404
    assert "data.contract" in served.get("/api/engineer/probes/data.contrakt").text
    assert served.get("/api/engineer/review").json()["readiness"]["high"] <= 100
    plan = served.get("/api/engineer/fixes?ids=gitignore").json()
    assert plan["fixes"]
