"""How ready a repository is, and what to do first.

Readiness is the share of risk that is shown to be in hand. Each question that arises weighs 8 (harm to users or no way
back), 3 (will cost days) or 1 (good practice). The lower end counts what is shown; the upper end also what nobody could
tell. A question that waits for another one (``after``) arises as well and is not shown, so that mending the other one
cannot cost anything: the lower end rises with every finding that is mended, whatever the questions behind it turn out
to be. The upper end may fall then, where what could not be asked before turns out to be missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from mlwright.engineer.probe import Lifecycle, Probe
from mlwright.engineer.rubrics.catalogue import raised
from mlwright.engineer.rubrics.items import Seen
from mlwright.model.assessment import Interval, Profile, Recommendation
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Finding, Outcome

RISK: Final[Mapping[Severity, int]] = {Severity.ERROR: 8, Severity.WARNING: 3, Severity.INFO: 1}
WORK: Final[Mapping[Effort, int]] = {Effort.MINUTES: 1, Effort.HOURS: 4, Effort.DAYS: 16, Effort.WEEKS: 64}


def readiness(findings: Iterable[Finding], probes: Mapping[str, Probe]) -> Interval:
    """The share of risk, 0 to 100, that is shown to be in hand.

    Experimental probes and answers of people do not count. An accepted risk is still a risk: suppressing a finding
    changes nothing here. Where nothing counts, nothing is known: 0 to 100.
    """
    seen = _seen(findings, probes)
    whole = shown = possible = 0
    for id, finding in seen.findings.items():
        state = seen.state(id) if _scored(id, probes) else None
        if state is not None:
            risk = RISK[finding.severity]
            whole += risk
            shown += risk * state.shown
            possible += risk * state.possible
    if not whole:
        return Interval(low=0.0, high=100.0)
    return Interval(low=100 * shown / whole, high=100 * possible / whole)


def recommend(
    findings: Iterable[Finding], probes: Mapping[str, Probe], profile: Profile
) -> tuple[Recommendation, ...]:
    """What is worth doing, the most valuable first: risk × gain in readiness, divided by the work.

    What is certainly missing comes first, then what was only not seen here, last what nobody could tell and a person
    can settle in minutes. The gain supposes that nothing else changes; what waits for a finding may add to it later.
    """
    seen = _seen(findings, probes)
    offered = [
        each for each in seen.findings.values() if _scored(each.id, probes) and _place(each, seen) is not None
    ]
    before = readiness(seen.findings.values(), probes).low
    made = [(each, _recommendation(each, seen, probes, profile, before)) for each in offered]
    # Of equals, what can be pointed at comes before what is missing altogether.
    made.sort(key=lambda pair: (_place(pair[0], seen), -_worth(*pair), not pair[0].locations, pair[0].id))
    return tuple(recommendation for _, recommendation in made)


def _recommendation(
    finding: Finding, seen: Seen, probes: Mapping[str, Probe], profile: Profile, before: float
) -> Recommendation:
    held = {**seen.findings, finding.id: replace(finding, outcome=Outcome.TRUE)}
    unknown = finding.outcome is not Outcome.FALSE
    return Recommendation(
        finding=finding.id,
        title=finding.title,
        why=probes[finding.id].why,
        remedy=f"find out: {finding.evidence}" if unknown else finding.remedy,
        effort=finding.effort,
        gain=readiness(held.values(), probes).low - before,
        items=raised(finding.id, profile, seen),
        locations=finding.locations,
        fix=None if unknown else finding.fix,
    )


def _place(finding: Finding, seen: Seen) -> int | None:
    """0 certainly missing, 1 not seen here, 2 cheap to find out; None where there is nothing to do."""
    match finding.outcome:
        case Outcome.FALSE:
            return 1 if finding.id in seen.elsewhere else 0
        case Outcome.NOT_AVAILABLE if finding.effort is Effort.MINUTES and not finding.id.startswith(
            "running."
        ):
            return 2
        case _:
            return None


def _worth(finding: Finding, recommendation: Recommendation) -> float:
    return RISK[finding.severity] * recommendation.gain / WORK[finding.effort]


def _scored(id: str, probes: Mapping[str, Probe]) -> bool:
    return id in probes and probes[id].lifecycle is Lifecycle.STABLE


def _seen(findings: Iterable[Finding], probes: Mapping[str, Probe]) -> Seen:
    return Seen(
        findings={each.id: each for each in sorted(findings, key=lambda each: each.id)},
        elsewhere=frozenset(id for id, probe in probes.items() if probe.elsewhere),
    )
