"""``mlwright ask`` from the command line to a provider's protocol and back: what has no evidence is not shown."""

import json
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlwright.doors.cli.main import cli

PROVIDER = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "advisor" / "provider.py"))
SICK = Path(__file__).parent / "corpus" / "credit-everything-wrong" / "repo"
QUESTION = "my model is trained and performs well; what's next?"
LIES = (
    "Your target leaks into the features [data.target_dropped]. "
    "Dependencies are locked [dependencies.locked]. "
    "I measured an AUC of 0.997 on your data. "
    "The project is ready for production [made.up]. "
    "47 tests pass [tests.exist]."
)


@pytest.fixture
def asked(monkeypatch):
    def ask(*replies) -> dict:
        with PROVIDER["serving"](*replies) as server:
            monkeypatch.setenv("MLWRIGHT_ADVISOR_BASE_URL", server.url)
            monkeypatch.setenv("MLWRIGHT_ADVISOR_KEY", "env:TEST_KEY")
            monkeypatch.setenv("TEST_KEY", "not-a-secret")
            words = ["ask", QUESTION, "--in", str(SICK), "--advisor", "openai:scripted", "--json"]
            done = CliRunner().invoke(cli, words, prog_name="mlwright")
            assert done.exit_code == 0, done.output
            return json.loads(done.stdout)

    return ask


def offline() -> dict:
    done = CliRunner().invoke(cli, ["ask", QUESTION, "--in", str(SICK), "--json"], prog_name="mlwright")
    return json.loads(done.stdout)


def without_the_model(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key != "told"}


def test_a_liar_loses_every_lie_and_changes_no_verdict(asked) -> None:
    answer = asked(PROVIDER["says"](LIES))
    assert "leaks into the features" in answer["told"]["text"]
    for lie in ("0.997", "are locked", "ready for production", "47 tests"):
        assert lie not in answer["told"]["text"]
    assert len(answer["told"]["dropped"]) == 4
    assert without_the_model(answer) == without_the_model(offline())


def test_a_model_that_uses_a_tool_and_cites_is_heard(asked) -> None:
    said = (
        "First take the target out of the features [data.target_dropped]. "
        "Then pin what you install [dependencies.locked]."
    )
    answer = asked(PROVIDER["calls"]("assessment"), PROVIDER["says"](said))
    assert answer["told"]["text"].count("[") == 2
    assert not answer["told"]["dropped"]


def test_a_provider_that_breaks_leaves_the_offline_answer(asked) -> None:
    answer = asked(*[PROVIDER["fails"](500)] * 5)
    assert without_the_model(answer) == without_the_model(offline())
    assert answer["told"] is None or not answer["told"]["text"]
