"""A language model that says what it was told to say."""

from collections.abc import Callable, Mapping, Sequence

from mlwright.errors import AdvisorFailed
from mlwright.ports.advisor import AdvisorTool

Script = Callable[[Mapping[str, Callable[[Mapping[str, object]], str]]], str]
"""Given the tools by name, does what the model would do, and returns its last text."""


class ScriptedAdvisor:
    """Answers from a script; keeps what it was asked in ``asked``, refuses everything while ``broken`` is set.

    Args:
        script: the text to answer with, or a function that may call the tools first.
        broken: whether it fails.
    """

    def __init__(self, script: str | Script = "", *, broken: bool = False) -> None:
        self.broken = broken
        self.asked: list[tuple[str, str]] = []
        self._script = script

    @property
    def name(self) -> str:
        """Provider and model."""
        return "fake:scripted"

    def advise(self, instructions: str, question: str, tools: Sequence[AdvisorTool]) -> str:
        """Answer as the script says; see ``Advisor.advise``."""
        if self.broken:
            raise AdvisorFailed("fake:scripted did not answer as it should")
        self.asked.append((instructions, question))
        if isinstance(self._script, str):
            return self._script
        return self._script({each.name: each.call for each in tools})
