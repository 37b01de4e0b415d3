"""What happened at an endpoint, from the ledger and the inbox, as marks on a time axis and as lines of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from mlwright.doors.web.charts import COLOURS
from mlwright.doors.web.words import version_of
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Alert, AlertLevel
from mlwright.model.rollouts import RolloutState
from mlwright.model.windows import Window
from mlwright.platform.facade import Platform
from mlwright.platform.suspecting import changes_of

_ALERT, _RETRAIN, _PROMOTED, _KEPT_OUT = COLOURS[4], COLOURS[1], COLOURS[2], COLOURS[0]
_CHANGE, _ASKED = COLOURS[3], COLOURS[6]
_DECISIONS: Final = 1000
_ALERTS: Final = 1000
_CHANGES: Final = {
    "deploy": ("deploy", "▶"),
    "withdraw": ("out of service", "■"),
    "rollout start": ("rollout begins", "◇"),
    "config": ("settings", "⚙"),
    "alias override": ("against gates", "!"),
}
"""Changes with a mark; that a route follows its rollout is told by the rollout's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened. ``href`` leads to more about it, and is empty where there is no more."""

    at: datetime
    kind: str
    mark: str
    colour: str
    text: str
    href: str = ""


LEGEND: Final = (
    ("▲", _ALERT, "alert (△ no page)"),
    ("▶", _CHANGE, "deploy"),
    ("◇", _CHANGE, "rollout begins"),
    ("v2", _PROMOTED, "promoted"),
    ("×", _KEPT_OUT, "rollout ended otherwise"),
    ("◆", _RETRAIN, "retraining"),
    ("‖", _RETRAIN, "put off"),
    ("⚙", _CHANGE, "settings"),
    ("?", _ASKED, "diagnosis"),
)
"""Marks, their colours and what they say."""


def moments_of(platform: Platform, endpoint: str, window: Window) -> tuple[Moment, ...]:
    """Everything with a mark that happened in a window, in order of time."""
    found = [
        *map(alert_moment, platform.alerting.alerts(endpoint, limit=_ALERTS)),
        *map(decision_moment, platform.records.decisions(endpoint, limit=_DECISIONS)),
    ]
    inside = [each for each in found if window.start <= each.at < window.end]
    return tuple(sorted([*change_moments(platform, endpoint, window), *inside], key=lambda each: each.at))


def change_moments(platform: Platform, endpoint: str, window: Window) -> tuple[Moment, ...]:
    """Changes by hand and of settings that happened in a window."""
    with platform.parts.read() as tx:
        changes = changes_of(tx, EndpointName(endpoint), window.start, window.end)
    return tuple(
        Moment(
            at=each.at,
            kind=_CHANGES[each.kind][0],
            mark=_CHANGES[each.kind][1],
            colour=_CHANGE,
            text=each.what,
        )
        for each in changes
        if each.kind in _CHANGES and each.at < window.end
    )


def alert_moment(alert: Alert) -> Moment:
    """An alert at the instant it fired."""
    return Moment(
        at=alert.fired,
        kind=f"{alert.level.value}: {alert.rule}",
        mark="▲" if alert.level is AlertLevel.PAGE else "△",
        colour=_ALERT,
        text=alert.summary,
        href=f"/alerts#{quote(alert.id)}",
    )


def decision_moment(decision: Decision) -> Moment:
    """A decision about an endpoint: a retraining, one that was due and put off, the end of a rollout, a diagnosis."""
    outcome, why = decision.outcome.replace("_", " "), "; ".join(decision.reasons)
    kind, mark, colour, href = decision.kind, "◆", _RETRAIN, ""
    if decision.kind == "diagnosis":
        mark, colour, href = "?", _ASKED, f"/diagnoses/{quote(decision.id)}"
    elif decision.kind == "trigger":
        mark = "‖"
    elif decision.kind == "rollout":
        promoted = decision.outcome.startswith(RolloutState.PROMOTED.value)
        version = version_of(decision.outcome) or ""
        mark, colour = (f"v{version}", _PROMOTED) if promoted else ("×", _KEPT_OUT)
    return Moment(
        at=decision.at,
        kind=kind,
        mark=mark,
        colour=colour,
        text=f"{outcome} — {why}" if why else outcome,
        href=href,
    )


def latest(moments: Sequence[Moment], count: int) -> tuple[Moment, ...]:
    """The last ones, the newest first."""
    return tuple(reversed(moments[-count:]))
