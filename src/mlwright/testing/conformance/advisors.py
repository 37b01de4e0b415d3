"""The exam of :class:`mlwright.ports.advisor.Advisor`.

::

    class TestMyModel(AdvisorConformance):
        @pytest.fixture
        def advisor(self) -> Advisor: ...   # behind it a model that calls LOOK and then says what the tool returned

        @pytest.fixture
        def broken(self) -> Advisor: ...    # its other end refuses or is not there

Wanted behind ``advisor``: one call of the tool ``look`` with ``{"id": "data.contract"}``, then the result as text.
"""

from collections.abc import Mapping

import pytest

from mlwright.errors import AdvisorFailed
from mlwright.ports.advisor import Advisor, AdvisorTool
from mlwright.testing.conformance.gaps import Conformance

LOOK = "look"
ARGUMENTS = {"id": "data.contract"}
_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"id": {"type": "string", "description": "which one"}},
    "additionalProperties": False,
}


class AdvisorConformance(Conformance):
    """What every advisor promises. Subclasses supply ``advisor`` and ``broken``."""

    def test_has_a_name(self, advisor: Advisor) -> None:
        """It stands beside everything that the model says: provider and model."""
        provider, _, model = advisor.name.partition(":")
        assert provider
        assert model

    def test_calls_the_tool_with_its_arguments_and_returns_the_last_text(self, advisor: Advisor) -> None:
        """What the tool returned comes back as the model repeats it."""
        given: list[Mapping[str, object]] = []

        def look(arguments: Mapping[str, object]) -> str:
            given.append(dict(arguments))
            return '{"title": "rows keep a contract \N{EM DASH} \N{GREEK SMALL LETTER ALPHA}"}'

        said = advisor.advise("Repeat the tool.", "Is there one?", [_tool(look)])
        assert given == [ARGUMENTS]
        assert "rows keep a contract \N{EM DASH} \N{GREEK SMALL LETTER ALPHA}" in said

    def test_can_be_asked_again(self, advisor: Advisor) -> None:
        """One advisor answers more than one question; a conversation leaves nothing behind."""
        assert advisor.advise("", "first", [_tool(lambda _: '"one"')])

    def test_a_broken_provider_raises_advisor_failed(self, broken: Advisor) -> None:
        """Each time, with the next step."""
        for _ in range(2):
            with pytest.raises(AdvisorFailed) as caught:
                broken.advise("", "question", [])
            assert caught.value.what


def _tool(call: object) -> AdvisorTool:
    assert callable(call)
    return AdvisorTool(name=LOOK, description="Looks one thing up.", parameters=_SCHEMA, call=call)
