"""What an answer can rest on: findings as statements, and facts of the repository with their places."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Probe
from mlwright.model.answers import NextCommand, Statement
from mlwright.model.assessment import Assessment
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

_PLACES: Final = 5
"""Places that a statement shows; the finding has all of them."""

_RANK: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that one answer is made from. Nothing here is fetched: the same facts give the same answer."""

    question: str
    assessment: Assessment
    repository: Repository
    probes: Mapping[str, Probe]
    platform: "Platform | None" = None
    _by_id: dict[str, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id.update({each.id: each for each in self.assessment.findings})

    def finding(self, id: str) -> Finding | None:
        """One finding, or None where no probe of that id took part."""
        return self._by_id.get(id)

    def holds(self, id: str) -> bool:
        """Whether a finding is TRUE; unknown is no."""
        found = self._by_id.get(id)
        return found is not None and found.outcome is Outcome.TRUE

    def fails(self, id: str) -> bool:
        """Whether a finding is FALSE; unknown is no."""
        found = self._by_id.get(id)
        return found is not None and found.outcome is Outcome.FALSE

    def about(self, *patterns: str) -> tuple[Finding, ...]:
        """The findings whose ids match, in the order of the patterns, then of the ids; each once."""
        found = [
            each for pattern in patterns for each in self.assessment.findings if fnmatch(each.id, pattern)
        ]
        return tuple({each.id: each for each in found}.values())

    def statement(self, finding: Finding) -> Statement:
        """A finding as one sentence, with its places and, where it does not hold, its remedy."""
        bad = finding.outcome in (Outcome.FALSE, Outcome.ERROR)
        return Statement(
            text=f"{self._word(finding)}: {_plain(finding.title)} – {_sentence(finding.evidence)}",
            because=(finding.id,),
            places=finding.locations[:_PLACES],
            remedy=finding.remedy if bad else "",
        )

    def _word(self, finding: Finding) -> str:
        if "blocked_by" in finding.values:
            return "Not shown"
        if finding.outcome is Outcome.FALSE:
            probe = self.probes.get(finding.id)
            return "Not seen here" if probe is not None and probe.elsewhere else "Does not hold"
        return _WORDS[finding.outcome]

    def gaps(self, findings: Iterable[Finding], most: int = 8) -> tuple[Statement, ...]:
        """What does not hold among them, the gravest first, at most so many."""
        bad = [each for each in findings if each.outcome is Outcome.FALSE]
        bad.sort(key=lambda each: _RANK[each.severity])
        return tuple(map(self.statement, bad[:most]))

    def well(self, findings: Iterable[Finding]) -> tuple[Statement, ...]:
        """What holds among them, in one statement; none where nothing does."""
        good = [each for each in findings if each.outcome is Outcome.TRUE]
        if not good:
            return ()
        titles = "; ".join(_plain(each.title) for each in good)
        places = [each.locations[0] for each in good if each.locations]
        return (
            Statement(
                text=f"Holds: {titles}.",
                because=tuple(each.id for each in good),
                places=tuple(dict.fromkeys(places))[:_PLACES],
            ),
        )

    def fixes(self, findings: Iterable[Finding], most: int = 3) -> tuple[NextCommand, ...]:
        """The commands of the mechanical fixes for what does not hold among them."""
        known = dict.fromkeys(each.fix for each in findings if each.fix and each.outcome is Outcome.FALSE)
        why = "shows the change as a diff; nothing is written without consent"
        return tuple(
            NextCommand(command=f"mlwright assess . --fix {id}", why=why) for id in list(known)[:most]
        )

    @property
    def has_project(self) -> bool:
        """Whether an mlwright project stands here, running or not."""
        return any(each.path == "mlwright.toml" for each in self.repository.files)

    def unknown(self, findings: Iterable[Finding]) -> tuple[str, ...]:
        """What could not be told among them, with the reason."""
        return tuple(
            f"{_plain(each.title)} [{each.id}]: {each.evidence}"
            for each in findings
            if each.outcome in (Outcome.NOT_AVAILABLE, Outcome.NOT_SUPPORTED, Outcome.ERROR)
        )

    def uses(self, *packages: str) -> tuple[Location, ...]:
        """Where one of these packages is imported by production code, or required; at most three places."""
        found = list(self.repository.importing(*packages))
        needed = self.repository.requires(*(each.replace("_", "-") for each in packages))
        if needed is not None:
            found.append(needed.at)
        return tuple(found[:3])


def plural(number: int, word: str, words: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def places_text(places: Sequence[Location], most: int = 2) -> str:
    """Places in brackets for the end of a sentence, "" without any."""
    return f" ({', '.join(map(str, places[:most]))})" if places else ""


def any_of(words: Collection[str], question_words: Collection[str]) -> bool:
    """Whether one of the words was said."""
    return not set(words).isdisjoint(question_words)


def _plain(title: str) -> str:
    return title.rstrip(". ")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


_WORDS: Final = {
    Outcome.TRUE: "Holds",
    Outcome.FALSE: "Does not hold",
    Outcome.NOT_AVAILABLE: "Unknown",
    Outcome.NOT_APPLICABLE: "No question here",
    Outcome.NOT_SUPPORTED: "Cannot be read yet",
    Outcome.ERROR: "Could not be looked at",
}
