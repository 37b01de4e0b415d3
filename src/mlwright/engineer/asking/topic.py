"""The shape of a question that findings answer, and commands that several of them end with."""

from dataclasses import dataclass
from typing import Final

from mlwright.model.answers import NextCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What belongs to one intent.

    ``about`` are patterns of finding ids, the most telling first. ``advice`` are pairs of a sentence and its source.
    ``commands`` are always worth typing; ``project`` only where an mlwright project runs. ``blind`` is what no file can
    tell.
    """

    about: tuple[str, ...]
    lead: str
    advice: tuple[tuple[str, str], ...] = ()
    commands: tuple[NextCommand, ...] = ()
    project: tuple[NextCommand, ...] = ()
    questions: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()


def step(command: str, why: str) -> NextCommand:
    """A command and what it is for."""
    return NextCommand(command=command, why=why)


ASSESS: Final = step("mlwright assess .", "the whole report, with the five most valuable fixes first")
REVIEW: Final = step("mlwright review .", "a second pair of eyes on Dockerfiles, manifests and workflows")
MONITOR: Final = step(
    "mlwright monitor ENDPOINT --drift", "realised quality with intervals, and drift as context"
)
