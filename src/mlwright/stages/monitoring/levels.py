"""Which rule may wake somebody, which opens a ticket, which only informs: the one place that says so, and why.

A page is for a consequence that somebody outside can feel or that is proven on known outcomes. A ticket is for a cause
that has harmed nobody yet as far as is known. Drift and estimates are context: with enough rows every season drifts
(of 16 features of a year of flights 5 to 8 lie above the usual limit of PSI in every month, and weather did no harm).
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from mlwright.model.alerting import SEVERITY
from mlwright.model.monitoring import AlertLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLevel:
    """The highest level that alerts of some rules may have, why, and what to do where no runbook is named."""

    rule: str
    """A pattern: ``*`` is anything."""
    most: AlertLevel
    why: str
    first_aid: str


LEVELS: Final[tuple[RuleLevel, ...]] = (
    RuleLevel(
        rule="slo.*.page",
        most=AlertLevel.PAGE,
        why="the error budget is gone within days at this rate: callers feel it now",
        first_aid="see what changed with `mlwright audit`; put back the version before with `mlwright deploy`",
    ),
    RuleLevel(
        rule="slo.*",
        most=AlertLevel.TICKET,
        why="the error budget lasts, but not to the end of its window",
        first_aid="find the slow or failing requests in the metrics of the endpoint before the budget is gone",
    ),
    RuleLevel(
        rule="integrity*",
        most=AlertLevel.PAGE,
        why="rows break their contract: every answer made from them is wrong",
        first_aid="stop the source, see the failing rules with `mlwright check`, and replay what was answered",
    ),
    RuleLevel(
        rule="contract*",
        most=AlertLevel.PAGE,
        why="rows break their contract: every answer made from them is wrong",
        first_aid="stop the source, see the failing rules with `mlwright check`, and replay what was answered",
    ),
    RuleLevel(
        rule="skew*",
        most=AlertLevel.TICKET,
        why="what is served differs from what is recomputed; the harm, if any, shows in quality",
        first_aid="compare the feature's two computations; put the offline values right, then train again",
    ),
    RuleLevel(
        rule="labels*",
        most=AlertLevel.TICKET,
        why="without labels a decay would not be seen; nobody is harmed by that alone",
        first_aid="ask whoever sends the truth: when did the last label come (`mlwright monitor ENDPOINT`)",
    ),
    RuleLevel(
        rule="features*",
        most=AlertLevel.TICKET,
        why="values are missing; whether that harms shows in quality",
        first_aid="look at the source of the feature view and write it again with `mlwright features`",
    ),
    RuleLevel(
        rule="freshness*",
        most=AlertLevel.TICKET,
        why="values are old; whether that harms shows in quality",
        first_aid="look at the source of the feature view and write it again with `mlwright features`",
    ),
    RuleLevel(
        rule="volume*",
        most=AlertLevel.TICKET,
        why="more or fewer requests than usual are no harm by themselves",
        first_aid="ask the callers whether they meant to",
    ),
    RuleLevel(
        rule="records*",
        most=AlertLevel.TICKET,
        why="requests are answered, and not all of them are remembered",
        first_aid="see what fills the log's ring or disk with `mlwright doctor`",
    ),
    RuleLevel(
        rule="drift*",
        most=AlertLevel.INFO,
        why="drift shows what changed, not that it did harm",
        first_aid="nothing to do by itself; look at it when quality falls",
    ),
    RuleLevel(
        rule="estimate*",
        most=AlertLevel.INFO,
        why="an estimate before labels assumes that the truth still follows the features as it did",
        first_aid="wait for the labels, or ask for some earlier",
    ),
    RuleLevel(
        rule="*",
        most=AlertLevel.PAGE,
        why="realised quality on matured labels has fallen by more than chance and the tolerance",
        first_aid="find the cause with `mlwright diagnose ENDPOINT` before training again",
    ),
)
"""The first pattern that fits holds; what no other names is a metric of realised quality."""


def rule_level(rule: str) -> RuleLevel:
    """What is said of a rule."""
    return next(each for each in LEVELS if fnmatchcase(rule, each.rule))


def level_within(rule: str, asked: AlertLevel) -> AlertLevel:
    """The level that a rule's alert gets: what the decision asks for, and never more than the rule may."""
    return min(asked, rule_level(rule).most, key=SEVERITY.__getitem__)
