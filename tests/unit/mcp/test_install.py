"""Putting the engineer into agents: what is there stays, nothing leaves the project."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mlwright.doors.cli.main import cli
from mlwright.doors.mcp.install import AGENTS, MARK, install
from mlwright.doors.mcp.server import make_tools
from mlwright.doors.mcp.workplace import Workplace
from mlwright.engineer.asking.commands import invented
from mlwright.errors import Conflict, UsageError

EVERY = pytest.mark.parametrize("which", list(AGENTS))


def configuration(which: str, folder: Path) -> Path:
    return folder / AGENTS[which].configuration


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@EVERY
def test_a_bare_project_gets_both_files_and_the_second_time_nothing(which: str, tmp_path: Path) -> None:
    done = install(which, tmp_path)
    assert [each.state for each in done.files] == ["created", "created"]
    assert done.next
    entry = json.loads(configuration(which, tmp_path).read_text())[AGENTS[which].servers]["mlwright"]
    assert entry["command"] == "mlwright"
    assert entry["args"][0] == "mcp"
    assert "--allow-writes" not in entry["args"]
    before = contents(tmp_path)
    assert {each.state for each in install(which, tmp_path).files} == {"unchanged"}
    assert contents(tmp_path) == before


@EVERY
def test_the_definition_is_what_the_agent_reads(which: str, tmp_path: Path) -> None:
    install(which, tmp_path)
    text = (tmp_path / AGENTS[which].definition).read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["description"]
    assert MARK in body
    assert "read-only" in body
    assert "{" not in body
    assert not invented(body)
    tools = {each.name for each in make_tools(Workplace(tmp_path))}
    if which == "claude":
        named = [each.strip() for each in front["tools"].split(",")]
        assert {each.removeprefix("mcp__mlwright__") for each in named if each.startswith("mcp__")} == tools
        assert front["name"] == "mlops-engineer"
    if which == "cursor":
        assert front["alwaysApply"] is False
    if which == "vscode":
        assert "mlwright/*" in front["tools"]


@EVERY
def test_other_servers_and_settings_stay(which: str, tmp_path: Path) -> None:
    file = configuration(which, tmp_path)
    file.parent.mkdir(exist_ok=True)
    servers = AGENTS[which].servers
    there = {"inputs": [{"id": "k"}], servers: {"é": {"command": "x", "env": {"A": "1"}}}, "later": None}
    file.write_text(json.dumps(there, indent=4, ensure_ascii=False), encoding="utf-8")
    [change, _] = install(which, tmp_path, allow_writes=True).files
    assert change.state == "changed"
    text = file.read_text(encoding="utf-8")
    found = json.loads(text)
    assert list(found) == ["inputs", servers, "later"]
    assert found[servers].pop("mlwright")["args"][-1] == "--allow-writes"
    assert found == there
    assert '\n    "inputs"' in text
    assert '"é"' in text


def test_an_entry_of_ones_own_is_kept_and_the_permission_follows_the_command(tmp_path: Path) -> None:
    mine = {"command": "uv", "args": ["run", "mlwright", "mcp", "--allow-writes"], "env": {"A": "1"}, "x": 1}
    file = tmp_path / ".mcp.json"
    file.write_text(json.dumps({"mcpServers": {"mlwright": mine}}))
    install("claude", tmp_path)
    entry = json.loads(file.read_text())["mcpServers"]["mlwright"]
    assert entry == {**mine, "args": ["run", "mlwright", "mcp"]}
    install("claude", tmp_path, allow_writes=True)
    assert json.loads(file.read_text())["mcpServers"]["mlwright"] == mine
    assert "apply_fix may write" in (tmp_path / ".claude/agents/mlops-engineer.md").read_text()


def test_an_address_gives_way_to_the_command(tmp_path: Path) -> None:
    file = tmp_path / ".mcp.json"
    file.write_text(json.dumps({"mcpServers": {"mlwright": {"type": "http", "url": "http://x", "y": 2}}}))
    install("claude", tmp_path)
    entry = json.loads(file.read_text())["mcpServers"]["mlwright"]
    assert entry == {"type": "stdio", "y": 2, "command": "mlwright", "args": ["mcp"]}


@pytest.mark.parametrize(
    "text",
    [
        '{"servers": {}, // mine\n}',
        "[]",
        '{"servers": []}',
        '{"servers": {"mlwright": 1}}',
        '{"servers": {}, "servers": {}}',
        "{" * 100_000,
        "\ud800",
    ],
)
def test_what_cannot_be_merged_is_left_alone(text: str, tmp_path: Path) -> None:
    file = tmp_path / ".vscode" / "mcp.json"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    before = contents(tmp_path)
    with pytest.raises(UsageError) as refused:
        install("vscode", tmp_path)
    assert refused.value.where == ".vscode/mcp.json"
    assert contents(tmp_path) == before


def test_a_definition_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "agents" / "mlops-engineer.md"
    file.parent.mkdir(parents=True)
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="not written by mlwright"):
        install("claude", tmp_path)
    assert list(contents(tmp_path).values()) == [b"mine"]
    file.write_text(f"{MARK}\nold", encoding="utf-8")
    assert [each.state for each in install("claude", tmp_path).files] == ["created", "changed"]


@pytest.mark.parametrize("link", [".cursor", ".cursor/rules", ".cursor/mcp.json"])
def test_no_link_leads_out_of_the_project(link: str, tmp_path: Path) -> None:
    outside, project = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    project.mkdir()
    (outside / "secret.json").write_text('{"secret": 1}')
    place = project / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside / "secret.json" if link.endswith("json") else outside)
    before = contents(tmp_path)
    with pytest.raises(Conflict, match="link"):
        install("cursor", project)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("raw", [b"", b" \n", b"\xef\xbb\xbf{}", b'{\r\n  "a": 1\r\n}\r\n'])
def test_the_form_of_the_file_is_kept(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / ".mcp.json"
    file.write_bytes(raw)
    install("claude", tmp_path)
    now = file.read_bytes()
    assert now.startswith(b"\xef\xbb\xbf") is raw.startswith(b"\xef\xbb\xbf")
    assert (b"\r\n" in now) is (b"\r\n" in raw)
    assert "mlwright" in json.loads(now.decode("utf-8-sig"))["mcpServers"]
    assert {each.state for each in install("claude", tmp_path).files} == {"unchanged"}


def test_the_command_shows_the_diff_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    words = ["agent", "install", "claude", "--dir", str(tmp_path)]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(cli, [*words, "--dry-run"])
    assert shown.exit_code == 0
    assert "+++ b/.mcp.json" in shown.stdout
    assert "nothing was written" in shown.stdout
    assert not contents(tmp_path)
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert [each["state"] for each in json.loads(done.stdout)["files"]] == ["created", "created"]
    assert len(contents(tmp_path)) == 2
    unknown = CliRunner().invoke(cli, ["agent", "install", "emacs"])
    assert unknown.exit_code == 2


def test_agent_alone_shows_its_help() -> None:
    done = CliRunner().invoke(cli, ["agent"])
    assert done.exit_code == 0
    assert "install" in done.stdout
