"""An answer to a question: how it was read, what is known, what can be done, what is not seen."""

from dataclasses import dataclass

from mlwright.model.findings import Effort, Location


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReading:
    """Something else that the question could have meant; ``example`` is a question that surely means it."""

    intent: str
    title: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the question was taken to ask.

    ``why`` are the words of the question that spoke for it. Where ``sure`` is false nothing was answered: ``others``
    are then the nearest readings to choose from, and ``note`` says why none was taken.
    """

    intent: str
    title: str
    why: tuple[str, ...]
    others: tuple[OtherReading, ...]
    sure: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that the answer says.

    ``because`` holds ids: of findings, or ``run:…``, ``alert:…``, ``decision:…``, ``rollout:…``, ``performance:…`` of a
    running project. ``places`` are where it can be seen. ``source`` is set for advice: who found out, and where; advice
    says nothing about this repository.
    """

    text: str
    because: tuple[str, ...] = ()
    places: tuple[Location, ...] = ()
    remedy: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to go, with what speaks for and against it.

    ``here`` says what in this repository speaks for or against it; ``fit`` is the sum, higher is nearer to what is
    there already (it orders the choices and measures nothing). ``cost`` is a note on money, ``command`` the first step.
    """

    what: str
    good: str
    bad: str
    effort: Effort
    cost: str
    command: str
    fit: int = 0
    here: tuple[str, ...] = ()
    places: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCommand:
    """A command that exists, and what it is for."""

    command: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A sentence of a language model that was not let through, and why."""

    sentence: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a language model said about the answer, after its sentences were checked; it stands beside the answer.

    ``text`` is what is left, "" where nothing is; ``note`` says how many sentences were dropped, or why there is none.
    """

    advisor: str
    text: str
    dropped: tuple[Dropped, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer. Everything but ``told`` comes from rules and is the same for the same facts.

    ``questions`` are what only a person can say and what would change the answer; ``not_seen`` what could not be looked
    at.
    """

    question: str
    subject: str
    reading: Reading
    summary: str
    statements: tuple[Statement, ...] = ()
    choices: tuple[Choice, ...] = ()
    commands: tuple[NextCommand, ...] = ()
    questions: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    told: Told | None = None
