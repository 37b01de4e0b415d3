"""The same server over stdio and over HTTP, and what must not get through."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from mcp import Client

from mlwright.doors.cli.main import cli
from mlwright.doors.mcp.server import HERE, listen
from mlwright.doors.mcp.workplace import Workplace
from mlwright.errors import PortInUse, UsageError

from .conftest import error_of, over_http, stdio, talk


async def walk_round(client: Client) -> dict[str, object]:
    """What a client does in a session."""
    tools = await client.list_tools()
    resources = await client.list_resources()
    prompts = await client.list_prompts()
    assessed = await client.call_tool("assess", {})
    outside = await client.call_tool("assess", {"path": ".."})
    refused = await client.call_tool("apply_fix", {"dry_run": False, "plan": "x"})
    reviewed = await client.call_tool("review", {"path": "deploy"})
    return {
        "counts": (len(tools.tools), len(resources.resources), len(prompts.prompts)),
        "readiness": assessed.structured_content["readiness"],
        "errors": [error_of(outside)["code"], error_of(refused)["code"]],
        "passes": reviewed.structured_content["passes"],
    }


@pytest.mark.slow
def test_both_transports_answer_alike(repository_folder: Path) -> None:
    first = talk(stdio(repository_folder), walk_round)
    with over_http(Workplace(repository_folder)) as address:
        second = talk(address, walk_round)
    assert first == second
    assert first["counts"] == (15, 7, 4)
    assert first["errors"] == ["UsageError", "UsageError"]


@pytest.mark.slow
def test_stdout_carries_the_protocol_and_nothing_else(repository_folder: Path) -> None:
    server = stdio(repository_folder)
    asked = [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "assess", "arguments": {}}},
    ]
    with subprocess.Popen(
        [server.command, *server.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=server.env,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for each in asked:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **each}) + "\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(20) == 0
    assert [each["jsonrpc"] for each in answers] == ["2.0", "2.0"]
    assert {each.get("id") for each in answers} == {1, 2}
    assert answers[1]["result"]["structuredContent"]["subject"] == "shop"


def test_a_page_from_elsewhere_is_refused(repository_folder: Path) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accepts = {"Accept": "application/json, text/event-stream"}
    with over_http(Workplace(repository_folder)) as address:
        rebound = httpx.post(address, json=body, headers={**accepts, "Host": "evil.example"})
        foreign = httpx.post(address, json=body, headers={**accepts, "Origin": "https://evil.example"})
        near = httpx.post(address, json=body, headers={**accepts, "Host": "127.0.0.1.evil.example:80"})
    assert (rebound.status_code, foreign.status_code, near.status_code) == (421, 403, 421)


def test_a_client_that_goes_away_leaves_the_server_well(repository_folder: Path) -> None:
    async def give_up(client: Client) -> object:
        call = asyncio.create_task(client.call_tool("assess", {}))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return (await client.call_tool("explain_finding", {"finding": "code.readme"})).structured_content

    with over_http(Workplace(repository_folder)) as address:
        said = talk(address, give_up)
        again = talk(address, lambda client: client.call_tool("assess", {}))
    assert said["finding"]["id"] == "code.readme"
    assert not again.is_error


def test_slow_work_does_not_stop_the_others(repository_folder: Path) -> None:
    async def both(client: Client) -> list[str]:
        order: list[str] = []

        async def call(name: str, arguments: dict[str, object]) -> None:
            await client.call_tool(name, arguments)
            order.append(name)

        sizing = {"requests_per_second": 1, "service_time_ms": 1, "target_ms": 100}
        await asyncio.gather(call("build", {}), call("size_and_price", sizing))
        return order

    with over_http(Workplace(repository_folder)) as address:
        assert talk(address, both)[0] == "size_and_price"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
def test_other_hosts_are_refused_until_there_are_tokens(host: str) -> None:
    assert host not in HERE
    with pytest.raises(UsageError, match="this machine only") as refused:
        listen(host, 0)
    assert "tokens" in (refused.value.why or "")
    done = CliRunner().invoke(cli, ["mcp", "--http", "--host", host])
    assert done.exit_code == 2
    assert "tokens" in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            listen("127.0.0.1", port)


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    done = CliRunner().invoke(cli, ["mcp"])
    assert done.exit_code == 8
    assert "pip install 'mlwright[mcp]'" in done.stderr
