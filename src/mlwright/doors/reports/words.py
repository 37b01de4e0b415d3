"""How single values of a report are written, and in which order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mlwright.model.assessment import Assessment, Interval, Profile, RepositoryKind, RubricView
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome

TOPICS: Final[Mapping[str, str]] = {
    "data": "Data",
    "model": "Model",
    "code": "Code",
    "tests": "Tests",
    "dependencies": "Dependencies",
    "ci": "Continuous integration",
    "pipeline": "Pipeline",
    "notebook": "Notebooks",
    "release": "Release",
    "serving": "Serving",
    "monitoring": "Monitoring",
    "recovery": "Recovery",
    "cost": "Cost",
    "security": "Security",
    "container": "Containers",
    "kubernetes": "Kubernetes",
    "cloud": "Cloud",
    "governance": "Governance",
    "running": "What runs",
}
"""Titles of the topics, which are the first parts of probes' ids, in the order of a report."""

MARKS: Final[Mapping[Outcome, str]] = {
    Outcome.FALSE: "✗",
    Outcome.ERROR: "!",
    Outcome.NOT_AVAILABLE: "?",
    Outcome.NOT_SUPPORTED: "~",
    Outcome.TRUE: "✓",
    Outcome.NOT_APPLICABLE: "·",
}
"""A mark for each outcome, in the order in which they matter."""

COUNTED: Final[Mapping[Outcome, str]] = {
    Outcome.FALSE: "do not hold",
    Outcome.ERROR: "broke",
    Outcome.NOT_AVAILABLE: "unknown",
    Outcome.NOT_SUPPORTED: "unsupported",
    Outcome.TRUE: "hold",
    Outcome.NOT_APPLICABLE: "n/a",
}
"""What is said of a number of findings."""

RUNGS: Final = ("absent", "declared", "executable", "executed", "automatic")
"""Words for the rungs E0 to E4 of the evidence ladder."""

_SHORT: Final = {
    "ml-test-score": "ML Test Score",
    "google": "Google MLOps",
    "microsoft": "Microsoft MLOps",
    "aws-ml-lens": "AWS ML Lens",
    "technical-debt": "Hidden debt",
    "principles": "Nine principles",
    "model-card": "Model card",
    "datasheet": "Data sheet",
    "ai-act": "EU AI Act",
}
_GRAVITY: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def clean(text: str) -> str:
    """A text of the repository without what could steer a terminal or a page: controls, bidi marks, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each in "\n\t\r" else _escaped(each) for each in text
    )


def number(value: float) -> str:
    """A score: one decimal where there is one, thousands apart."""
    text = f"{value:,.1f}"
    return text.removesuffix(".0")


def interval(value: Interval) -> str:
    """``34–61``, or one number where nothing is unknown."""
    low, high = number(value.low), number(value.high)
    return low if low == high else f"{low}–{high}"


def size(count: int) -> str:
    """Bytes for people: ``12.3 MB``."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def many(count: int, one: str, more: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def places(locations: Sequence[Location], most: int) -> str:
    """The first places, and how many more there are."""
    rest = len(locations) - most
    return ", ".join(clean(str(each)) for each in locations[:most]) + (f" (+{rest})" if rest > 0 else "")


def topic(finding: str) -> str:
    """The topic of a finding's id."""
    return finding.partition(".")[0]


def by_topic(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Findings by topic, with its title; within one, what matters most first."""
    groups: dict[str, list[Finding]] = {}
    for each in findings:
        groups.setdefault(topic(each.id), []).append(each)
    known = list(TOPICS)
    order = sorted(groups, key=lambda name: (known.index(name) if name in TOPICS else len(known), name))
    return [(TOPICS.get(name, clean(name)), sorted(groups[name], key=_weight)) for name in order]


def counts(findings: Iterable[Finding]) -> dict[Outcome, int]:
    """How many findings have each outcome, in the order in which they matter."""
    found = [each.outcome for each in findings]
    return {outcome: found.count(outcome) for outcome in MARKS}


def kind_of(profile: Profile) -> str:
    """What the repository is, in a sentence."""
    if profile.kind is RepositoryKind.LIBRARY:
        return "a library or tool for others to install: what a team that runs a model needs does not apply to it"
    if profile.kind is RepositoryKind.OTHER and profile.frameworks:
        return "nothing was seen here that trains or serves a model: most questions do not apply"
    if profile.kind is RepositoryKind.OTHER:
        return "no machine learning was seen here: most questions do not apply"
    does = " and ".join(
        word for word, done in (("trains", profile.trains), ("serves", profile.serves)) if done
    )
    return f"an application that {does} a model" if does else "an application"


def short(view: RubricView) -> str:
    """A rubric's name where there is room for a word or two."""
    return _SHORT.get(view.id) or clean(view.title)


def by_machine(fix: str | None, remedy: str) -> str:
    """The hint that ``--fix`` puts it right, where the remedy does not say so itself."""
    return "--fix can do it" if fix and "--fix" not in remedy else ""


def idle(view: RubricView) -> bool:
    """Whether nothing that a rubric asks applies to the repository."""
    items = [item for section in view.sections for item in section.items]
    return bool(items) and not any(item.applies for item in items)


def missing(assessment: Assessment) -> tuple[str, ...]:
    """The scanners that could not take part, each with the reason."""
    return tuple(clean(each) for each in assessment.engines if ": " in each)


def rubric_of(views: Sequence[RubricView], *words: str) -> RubricView | None:
    """The first rubric whose id holds one of these words."""
    return next((view for view in views if any(word in view.id for word in words)), None)


def _weight(finding: Finding) -> tuple[int, int, str]:
    return list(MARKS).index(finding.outcome), _GRAVITY[finding.severity], finding.id


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
