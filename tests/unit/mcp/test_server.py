"""What a client sees of the server, in both protocol eras, without a transport."""

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from mlwright.doors.cli.main import cli
from mlwright.doors.mcp.looking import Assessed
from mlwright.doors.mcp.resources import errors_catalogue
from mlwright.doors.mcp.server import INSTRUCTIONS, MOST_TOOLS, make_server
from mlwright.doors.mcp.tool import make_tool
from mlwright.doors.mcp.workplace import Workplace
from mlwright.engineer.asking.commands import invented

from .conftest import error_of, talk

TOOLS = {
    "assess",
    "explain_finding",
    "diagnose",
    "propose",
    "size_and_price",
    "build",
    "review",
    "apply_fix",
    "rollout_status",
    "compare_runs",
    "lineage",
    "query_metrics",
    "what_changed",
    "runbook",
    "doctor",
}
WITHOUT_A_PROJECT = {
    "rollout_status": {},
    "compare_runs": {},
    "lineage": {"subject": "churn/1"},
    "query_metrics": {"endpoint": "churn"},
    "what_changed": {},
    "runbook": {},
    "doctor": {},
}
SIZING = {"requests_per_second": 100, "service_time_ms": 80, "target_ms": 500}


def ask(place: Workplace, name: str, **arguments: object):
    return talk(make_server(place), lambda client: client.call_tool(name, arguments))


def test_the_tools_are_few_typed_and_described(tmp_path: Path) -> None:
    tools = talk(make_server(Workplace(tmp_path)), lambda client: client.list_tools()).tools
    assert {each.name for each in tools} == TOOLS
    assert len(tools) <= MOST_TOOLS == 15
    for each in tools:
        assert "Use it" in each.description or "Call it" in each.description, each.name
        assert "\n" not in each.description
        assert not invented(each.description)
        for schema in (each.input_schema, each.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert "limits" in each.output_schema["required"], each.name
        assert "context" not in each.input_schema["properties"]
        assert each.annotations.read_only_hint is (each.name != "apply_fix")
        assert each.annotations.destructive_hint is (each.name == "apply_fix")
    assert not invented(INSTRUCTIONS)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_assess_gives_the_first_screen(repository_folder: Path, mode: str) -> None:
    told: list[str | None] = []

    async def look(client):
        async def progress(done: float, total: float | None, message: str | None) -> None:
            told.append(message)

        return await client.call_tool("assess", {"top": 3}, progress_callback=progress)

    done = talk(make_server(Workplace(repository_folder)), look, mode=mode)
    said = done.structured_content
    assert json.loads(done.content[0].text) == said
    assert said["profile"]["kind"] == "application"
    assert said["findings"] == []
    assert len(said["recommendations"]) == 3
    assert said["resource"] == "mlwright://report"
    assert any("more recommendations" in each for each in said["limits"])


def test_assess_says_what_the_command_line_says(repository_folder: Path) -> None:
    typed = CliRunner().invoke(cli, ["assess", str(repository_folder), "--json"])
    report = json.loads(typed.stdout)
    place = Workplace(repository_folder)
    said = ask(place, "assess", details=True, top=50).structured_content
    for field in ("subject", "profile", "readiness", "suppressions", "files", "bytes", "engines"):
        assert said[field] == report[field], field
    by_id = {each["id"]: each for each in report["findings"]}
    assert {each["id"] for each in said["findings"]} == {
        id for id, each in by_id.items() if each["outcome"] not in ("true", "not_applicable")
    }
    for each in said["findings"]:
        assert {**each, "locations": 0} == {**by_id[each["id"]], "locations": 0}
    for view, told in zip(report["rubrics"], said["rubrics"], strict=True):
        assert told == {name: view[name] for name in told}
    read = talk(make_server(place), lambda client: client.read_resource(said["resource"]))
    assert json.loads(read.contents[0].text) == report


def test_a_finding_is_explained_with_its_question(repository_folder: Path) -> None:
    said = ask(
        Workplace(repository_folder), "explain_finding", finding="dependencies.pinned"
    ).structured_content
    assert said["finding"]["outcome"] == "false"
    assert said["finding"]["locations"][0]["path"] == "requirements.txt"
    assert said["question"]["why"]
    assert any(each.startswith("ml-test-score/") or "/" in each for each in said["items"])


def test_review_takes_a_file_and_says_what_is_wrong(repository_folder: Path) -> None:
    said = ask(Workplace(repository_folder), "review", path="deploy/Dockerfile").structured_content
    wrong = {each["id"] for each in said["findings"]}
    assert {"container.non_root", "container.pinned_base"} <= wrong
    assert {each["outcome"] for each in said["findings"]} <= {"false", "error"}
    assert said["resource"] == "mlwright://review/deploy/Dockerfile"


def test_what_is_thin_says_so_and_does_the_rest(repository_folder: Path) -> None:
    place = Workplace(repository_folder)
    diagnosis = ask(place, "diagnose").structured_content
    assert [each["number"] for each in diagnosis["chain"]] == list(range(1, len(diagnosis["chain"]) + 1))
    assert diagnosis["chain"][0]["title"] == "Is it real?"
    assert all(each["state"] and each["how"] for each in diagnosis["chain"])
    assert diagnosis["verdicts"] == []
    assert any("mlwright diagnose --reference" in each for each in diagnosis["not_seen"])
    assert any("no records" in each for each in diagnosis["limits"])
    built = ask(place, "build").structured_content
    assert {each["name"] for each in built["projects"]} >= {"tabular"}
    assert all("mlwright.toml" in each["files"] for each in built["projects"])
    assert built["cannot"]
    proposed = ask(place, "propose", question="How do I deploy this model for real-time predictions?")
    answer = proposed.structured_content["answer"]
    assert answer["reading"]["intent"] == "deploy"
    assert answer["choices"]
    sized = ask(place, "size_and_price", **SIZING).structured_content
    assert sized["cost_per_month"] is None
    assert any("no price" in each for each in sized["limits"])


@pytest.mark.parametrize("name", sorted(WITHOUT_A_PROJECT))
def test_without_a_project_the_next_command_is_told(repository_folder: Path, name: str) -> None:
    error = error_of(ask(Workplace(repository_folder), name, **WITHOUT_A_PROJECT[name]))
    assert error["code"] == "SettingsError"
    assert error["next"] == "mlwright init"


@pytest.mark.parametrize("path", ["..", "/", "/etc", "deploy/../..", "link", "link/secret.txt"])
def test_nothing_outside_of_the_root_is_read(repository_folder: Path, path: str) -> None:
    outside = repository_folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("token", encoding="utf-8")
    (repository_folder / "link").symlink_to(outside)
    for name in ("assess", "review", "propose", "apply_fix", "doctor"):
        arguments = {"question": "what next?"} if name == "propose" else {}
        error = error_of(ask(Workplace(repository_folder), name, path=path, **arguments))
        assert error["code"] == "UsageError", name
        assert "outside" in str(error["what"])


def test_a_project_above_the_root_is_not_opened(repository_folder: Path) -> None:
    (repository_folder / "mlwright.toml").write_text("[project]\n", encoding="utf-8")
    error = error_of(ask(Workplace(repository_folder / "deploy"), "runbook"))
    assert error["code"] == "SettingsError"
    assert error["next"] == "mlwright init"


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("assess", {"path": "nowhere"}, "NotFound"),
        ("assess", {"path": "a\0b"}, "UsageError"),
        ("assess", {"path": "train.py"}, "UsageError"),
        ("explain_finding", {"finding": "data.contrct"}, "NotFound"),
        ("apply_fix", {"fixes": ["nothing-like-it"]}, "NotFound"),
    ],
)
def test_mistakes_are_errors_of_the_tool(repository_folder: Path, name, arguments, code) -> None:
    assert error_of(ask(Workplace(repository_folder), name, **arguments))["code"] == code


def test_a_fault_of_ours_is_an_error_of_the_tool_too(tmp_path: Path, caplog) -> None:
    def assess() -> Assessed:
        """Fail."""
        raise ZeroDivisionError("by accident")

    server = MCPServer("broken", tools=[make_tool(assess, title="Broken")])
    error = error_of(talk(server, lambda client: client.call_tool("assess", {})))
    assert error["what"] == "ZeroDivisionError: by accident"
    assert "the server's log" in error["why"]
    assert "by accident" in caplog.text


def test_arguments_are_held_against_their_schema(repository_folder: Path) -> None:
    for arguments in ({}, {**SIZING, "quantile": 1.5}, {**SIZING, "target_ms": "soon"}):
        done = ask(Workplace(repository_folder), "size_and_price", **arguments)
        assert done.is_error
        assert "validation error" in done.content[0].text


def test_writing_needs_the_server_the_person_and_the_plan(repository_folder: Path) -> None:
    before = {each: each.read_bytes() for each in repository_folder.rglob("*") if each.is_file()}
    reader, writer = Workplace(repository_folder), Workplace(repository_folder, allow_writes=True)
    shown = ask(reader, "apply_fix").structured_content
    assert shown["changes"]
    assert shown["result"] is None
    assert all(each["diff"].startswith("--- ") for each in shown["changes"])
    refused = error_of(ask(reader, "apply_fix", dry_run=False, plan=shown["plan"]))
    assert "--allow-writes" in f"{refused['what']} {refused['next']}"
    assert error_of(ask(writer, "apply_fix", dry_run=False))["code"] == "UsageError"
    assert error_of(ask(writer, "apply_fix", dry_run=False, plan="0123456789abcdef"))["code"] == "Conflict"
    assert {each: each.read_bytes() for each in repository_folder.rglob("*") if each.is_file()} == before
    done = ask(writer, "apply_fix", dry_run=False, plan=shown["plan"]).structured_content
    assert set(done["result"]["written"]) == {each["path"] for each in shown["changes"]}
    assert done["result"]["after"]["low"] >= done["result"]["before"]["low"]
    for path in done["result"]["written"]:
        assert (repository_folder / path).is_file()


def test_resources_hold_whole_reports_and_catalogues(repository_folder: Path) -> None:
    async def read(client):
        listed = {each.uri for each in (await client.list_resources()).resources}
        templates = {
            each.uri_template for each in (await client.list_resource_templates()).resource_templates
        }
        assert {"mlwright://report/{+path}", "mlwright://probes/{id}"} <= templates
        texts = {uri: (await client.read_resource(uri)).contents[0].text for uri in sorted(listed)}
        texts["one"] = (await client.read_resource("mlwright://report.md/deploy")).contents[0].text
        texts["probe"] = (await client.read_resource("mlwright://probes/data.contract")).contents[0].text
        for wrong in ("mlwright://probes/no.such", "mlwright://report/..%2F..", "mlwright://report/nowhere"):
            with pytest.raises(MCPError):
                await client.read_resource(wrong)
        return texts

    texts = talk(make_server(Workplace(repository_folder)), read)
    probes = json.loads(texts["mlwright://probes"])
    assert json.loads(texts["probe"]) in probes
    assert len(json.loads(texts["mlwright://rubrics"])) >= 8
    assert "<!doctype html>" in texts["mlwright://report.html"]
    assert texts["mlwright://report.md"].startswith("# Assessment of shop")
    assert texts["one"].startswith("# Assessment of deploy")
    codes = {each["code"] for each in json.loads(texts["mlwright://errors"])}
    assert codes == {str(each["code"]) for each in errors_catalogue()} >= {"NotFound", "MissingExtra"}


def test_texts_of_the_repository_stay_texts_in_markdown(tmp_path: Path) -> None:
    root = tmp_path / "a_[link](http-evil)<b>"
    root.mkdir()
    (root / "x.py").write_text("import sklearn\n", encoding="utf-8")
    text = (
        talk(make_server(Workplace(root)), lambda client: client.read_resource("mlwright://report.md"))
        .contents[0]
        .text
    )
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "\\[link\\]" in text


def test_the_prompts_ask_the_four_questions(tmp_path: Path) -> None:
    async def read(client):
        listed = {each.name: each for each in (await client.list_prompts()).prompts}
        return {
            name: (await client.get_prompt(name, {"path": "churn"})).messages[0].content.text
            for name in listed
        }

    texts = talk(make_server(Workplace(tmp_path)), read)
    assert set(texts) == {"training_pipeline", "deploy_model", "what_next", "accuracy_falling"}
    for text in texts.values():
        assert "'churn'" in text
        for rule in ("Call the tools before", "Cite the id", "unknown", "explicit consent"):
            assert rule in text
        assert not invented(text)
