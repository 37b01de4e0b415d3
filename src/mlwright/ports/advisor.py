"""Having a language model talk about what was found. It may choose tools and phrase; it decides nothing.

Open wire: the chat protocol of the provider, such as OpenAI's Chat Completions with tools.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorTool:
    """A tool that the model may call: JSON text of its result from JSON-plain arguments."""

    name: str
    description: str
    parameters: Mapping[str, object]
    call: Callable[[Mapping[str, object]], str]


class Advisor(Protocol):
    """A chat model of any provider."""

    @property
    def name(self) -> str:
        """Provider and model, as ``openai:gpt-5``."""
        ...

    def advise(self, instructions: str, question: str, tools: Sequence[AdvisorTool]) -> str:
        """Let the model answer, calling tools as it likes; returns its last text as it stands.

        Raises:
            MissingExtra: the library is not installed.
            AdvisorFailed: the provider could not be reached, refused, or talked nonsense.
        """
        ...
