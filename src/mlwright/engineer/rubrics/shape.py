"""The shape of a rubric as data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlwright.engineer.probe import When
from mlwright.model.assessment import Interval, Section
from mlwright.model.findings import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Findings that together put an item on a rung: all of them, or one of them where they are ``alternatives``.

    A name is a probe's id, the id of a question to people, or ``probe:part`` for one boolean among a finding's values.
    """

    rung: Rung
    names: tuple[str, ...]
    alternatives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One item of a rubric: the highest rung whose evidence holds is where it stands.

    ``whole`` is the rung that earns its point, ``half`` the one that earns half of it, where there is such a thing.
    ``next_step`` says what raises it, ``then`` what raises it from half to whole. ``question`` tells that only people
    know: it stays unknown until somebody answers it.
    """

    id: str
    title: str
    evidence: tuple[Evidence, ...]
    next_step: str
    then: str = ""
    half: Rung | None = None
    whole: Rung = Rung.EXECUTABLE
    question: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of all findings that it reads, each once, lowest rung first."""
        names = (name.partition(":")[0] for each in self.evidence for name in each.names)
        return tuple(dict.fromkeys(names))

    def points(self, rung: Rung) -> float:
        """What standing on a rung earns: 0, 0.5 or 1."""
        if rung >= self.whole:
            return 1.0
        return 0.5 if self.half is not None and rung >= self.half else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Items under one heading: a section, a level, a principle."""

    title: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a rubric makes of its sections, in its own words; ``points`` is None where none of its items applies."""

    verdict: str
    points: Interval | None
    out_of: float
    next_level: str
    blocking: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """One published rubric.

    ``read`` turns its sections into a verdict. ``when`` says for which repositories it is meant; ``unless`` names a
    question to people whose answer "no" means that it is not meant for this one. ``note`` says what it cannot see.
    """

    id: str
    title: str
    source: str
    chapters: tuple[Chapter, ...]
    read: Callable[[Sequence[Section]], Reading]
    when: When = When.ML
    unless: str = ""
    note: str = ""


def check(
    id: str,
    title: str,
    next_step: str,
    *,
    declared: str = "",
    executable: str = "",
    executed: str = "",
    automatic: str = "",
    whole: Rung = Rung.EXECUTABLE,
) -> Check:
    """Write an item in a few lines: "a + b" asks for both findings, "a | b" for one of them."""
    rungs = {
        Rung.DECLARED: declared,
        Rung.EXECUTABLE: executable,
        Rung.EXECUTED: executed,
        Rung.AUTOMATIC: automatic,
    }
    evidence = tuple(_evidence(rung, terms) for rung, terms in rungs.items() if terms)
    return Check(id=id, title=title, evidence=evidence, next_step=next_step, whole=whole)


def question(id: str, title: str) -> Check:
    """Write an item that only people can answer; ``title`` is true where the answer is yes."""
    return Check(
        id=id,
        title=title,
        evidence=(Evidence(rung=Rung.DECLARED, names=(id,)),),
        next_step=f'answer it: question = "{id}" in .mlwright-answers.toml',
        whole=Rung.DECLARED,
        question=True,
    )


def _evidence(rung: Rung, terms: str) -> Evidence:
    alternatives = "|" in terms
    names = tuple(name.strip() for name in terms.split("|" if alternatives else "+"))
    return Evidence(rung=rung, names=names, alternatives=alternatives)
