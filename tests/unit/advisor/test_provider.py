"""The adapter against a server that speaks the protocol: well-behaved, broken, slow, endless, huge."""

import asyncio
import json
import runpy
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.adapters.advisor import PydanticAiAdvisor
from mlwright.errors import AdvisorFailed, MissingExtra, UsageError
from mlwright.ports.advisor import AdvisorTool

provider = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("provider.py"))))

KEY = "sk-very-secret"


def advisor(server: object, *, time_limit_s: float = 20.0, attempts: int = 1) -> PydanticAiAdvisor:
    return PydanticAiAdvisor(
        "openai:scripted", base_url=server.url, key=KEY, time_limit_s=time_limit_s, attempts=attempts
    )


def look(found: list[Mapping[str, object]]) -> AdvisorTool:
    def call(given: Mapping[str, object]) -> str:
        found.append(dict(given))
        return json.dumps({"said": given["id"]})

    parameters = {"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": False}
    return AdvisorTool(name="look", description="Looks.", parameters=parameters, call=call)


def test_a_model_that_calls_a_tool_and_answers() -> None:
    given: list[Mapping[str, object]] = []
    script = (
        provider.calls("look", '{"id": "data.contract"}'),
        provider.says("There is one [data.contract]."),
    )
    with provider.serving(*script) as server:
        text = advisor(server).advise("Be short.", "Is there a contract?", [look(given)])
    assert text == "There is one [data.contract]."
    assert given == [{"id": "data.contract"}]
    first, second = server.requests
    assert first["messages"][-1] == {"role": "user", "content": "Is there a contract?"}
    assert "Be short." in first["messages"][0]["content"]
    [tool] = first["tools"]
    assert tool["function"]["name"] == "look"
    assert tool["function"]["parameters"]["properties"] == {"id": {"type": "string"}}
    assert '{"said": "data.contract"}' in second["messages"][-1]["content"]
    assert server.keys == [f"Bearer {KEY}"] * 2


def test_a_tool_that_raises_is_told_to_the_model_and_ends_nothing() -> None:
    with provider.serving(provider.calls("look", '{"other": 1}'), provider.repeats_the_tool()) as server:
        text = advisor(server).advise("", "q", [look([])])
    assert "KeyError" in text


@pytest.mark.parametrize("arguments", ["not json", '{"id": {"a": 1}}', '{"id": null, "x": 2}'])
def test_strange_arguments_of_a_call_do_no_harm(arguments: str) -> None:
    with provider.serving(provider.calls("look", arguments), provider.says("well")) as server:
        assert advisor(server).advise("", "q", [look([])]) == "well"


def test_arguments_that_are_no_object_are_nonsense() -> None:
    script = (provider.calls("look", "[1, 2]"), provider.says("well"))
    with provider.serving(*script) as server, pytest.raises(AdvisorFailed):
        advisor(server).advise("", "q", [look([])])


def test_a_server_that_is_busy_once_is_asked_again() -> None:
    with provider.serving(provider.fails(503), provider.says("now")) as server:
        assert advisor(server, attempts=2).advise("", "q", []) == "now"


def test_works_where_an_event_loop_runs_already() -> None:
    async def inside() -> str:
        return advisor(server).advise("", "q", [])

    with provider.serving(provider.says("here")) as server:
        assert asyncio.run(inside()) == "here"


@pytest.mark.parametrize(
    "reply",
    [
        provider.fails(500),
        provider.fails(401, '{"error": {"message": "bad key ' + KEY + '"}}'),
        provider.fails(429),
        provider.fails(400, "<html>" + "a" * 10_000),
        provider.garbage,
        provider.no_choices,
        provider.compressed,
        provider.moved("http://127.0.0.1:9/"),
    ],
    ids=["500", "401", "429", "400", "garbage", "no choices", "compressed", "redirect"],
)
def test_whatever_is_broken_is_one_error_without_the_key(reply: object) -> None:
    with provider.serving(reply) as server, pytest.raises(AdvisorFailed) as caught:
        advisor(server).advise("", "q", [])
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caught.value.next_command


@pytest.mark.parametrize("reply", [provider.hangs, provider.never_ends], ids=["hangs", "never ends"])
def test_the_time_limit_holds(reply: object) -> None:
    with provider.serving(provider.says("warm")) as server:
        advisor(server).advise("", "q", [])  # the first import takes seconds
    started = time.monotonic()
    with provider.serving(reply) as server:
        with pytest.raises(AdvisorFailed, match=r"within 0\.5 s"):
            advisor(server, time_limit_s=0.5).advise("", "q", [])
        assert time.monotonic() - started < 40


def test_a_huge_response_is_cut_off() -> None:
    with provider.serving(provider.huge) as server, pytest.raises(AdvisorFailed):
        advisor(server).advise("", "q", [])


def test_a_model_that_only_ever_calls_tools_is_stopped() -> None:
    given: list[Mapping[str, object]] = []
    with provider.serving(provider.calls("look", '{"id": "x"}')) as server, pytest.raises(AdvisorFailed):
        advisor(server).advise("", "q", [look(given)])
    assert len(server.requests) <= 13


def test_a_tool_that_does_not_exist_is_not_called_and_the_model_may_go_on() -> None:
    with provider.serving(provider.calls("rm", "{}"), provider.says("sorry")) as server:
        assert advisor(server).advise("", "q", [look([])]) == "sorry"


def test_nobody_there() -> None:
    with provider.serving(provider.says("")) as server:
        gone = advisor(server)
    with pytest.raises(AdvisorFailed, match="openai:scripted"):
        gone.advise("", "q", [])


def test_a_provider_whose_library_is_missing_says_what_to_install() -> None:
    with pytest.raises(MissingExtra) as caught:
        PydanticAiAdvisor("mistral:some", key=KEY).advise("", "q", [])
    assert "pydantic-ai-slim[mistral]" in (caught.value.next_command or "")


def test_a_provider_that_nobody_knows() -> None:
    with pytest.raises(AdvisorFailed, match="nosuch:model"):
        PydanticAiAdvisor("nosuch:model", key=KEY).advise("", "q", [])


def test_a_url_that_is_none() -> None:
    with pytest.raises(UsageError):
        PydanticAiAdvisor("openai:x", base_url="file:///etc/passwd")


def test_the_key_is_in_no_representation() -> None:
    assert KEY not in repr(PydanticAiAdvisor("openai:x", key=KEY))
