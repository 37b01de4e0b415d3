"""What a running project knows of falling quality: realised metric, what changed, what can be told of the cause."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mlwright.engineer.asking.seen import Seen, plural
from mlwright.model.answers import Statement
from mlwright.model.monitoring import Alert, AlertState, DriftReport, Estimate, Performance
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

_MOVED: Final = 0.2
"""PSI from which a feature is named; a convention (0.1 small, 0.2 notable), not a test."""
_ROWS: Final = 500
"""Rows below which drift is not mentioned: it says nothing there."""
_ENDPOINTS: Final = 3


def endpoints_meant(seen: Seen, platform: "Platform") -> tuple[EndpointSettings, ...]:
    """The endpoints that the question names; the first three where it names none."""
    all_of_them = platform.parts.settings.endpoints
    asked = seen.question.lower()
    named = tuple(each for each in all_of_them if each.name.lower() in asked)
    return named or all_of_them[:_ENDPOINTS]


def quality(platform: "Platform", endpoint: EndpointSettings) -> tuple[Statement, ...]:
    """Is it real? The metric by month (by day where there is no whole month), and the rule's own verdict on now."""
    cited = (f"performance:{endpoint.name}",)
    metric = endpoint.monitor.metric
    days = [each for each in platform.watch.performance(endpoint.name, "day") if _value(each, metric)]
    if not days:
        text = f"{endpoint.name}: no day with matured labels has been evaluated; whether quality falls is unknown."
        return (Statement(text=text, because=cited, remedy=f"mlwright monitor {endpoint.name} --update"),)
    months = [each for each in platform.watch.performance(endpoint.name, "month") if _value(each, metric)]
    shown = months[-6:] if len(months) > 1 else days[-7:]
    series = ", ".join(f"{_when(each.window)} {_estimate(_value(each, metric))}" for each in shown)
    said = [
        Statement(
            text=f"{endpoint.name}: {metric} by {'month' if len(months) > 1 else 'day'}: {series}.",
            because=cited,
        )
    ]
    return (*said, _verdict(platform, endpoint, cited))


def _verdict(platform: "Platform", endpoint: EndpointSettings, cited: tuple[str, ...]) -> Statement:
    # The rule of the alerts itself, so that two answers to one question cannot differ.
    champion, decision = (
        platform.releases.status(endpoint.name).champion,
        platform.watch.verdict(endpoint.name),
    )
    if champion is None or decision is None:
        why = "it has no champion" if champion is None else "its champion has answered for less than a week"
        return Statement(
            text=f"{endpoint.name}: the rule of the alerts does not judge it yet: {why}.", because=cited
        )
    return Statement(
        text=f"By the rule of the alerts: {decision.summary}", because=(*cited, f"model:{champion.ref}")
    )


def changes(platform: "Platform", endpoint: EndpointSettings) -> tuple[Statement, ...]:
    """What changed: versions that answered, rollouts, alerts, decisions; the latest first within each."""
    name = endpoint.name
    said = [*_versions(platform.watch.performance(name, "day"), name)]
    said += [_rollout(each) for each in platform.rollouts.list(name, limit=3)]
    said += [_alert(each) for each in platform.alerting.alerts(name, limit=3)]
    for each in platform.records.decisions(name, limit=3):
        reason = f": {'; '.join(each.reasons)}" if each.reasons else ""
        text = f"{each.at:%Y-%m-%d %H:%M} {each.kind} {each.subject}: {each.outcome}{reason}"
        said.append(Statement(text=text, because=(f"decision:{each.id}",)))
    return tuple(said)


def moved(platform: "Platform", endpoint: EndpointSettings) -> tuple[Statement, ...]:
    """Features that moved in the latest window that was looked at: context, not a cause."""
    reports = platform.drifting.drift(endpoint.name)
    if not reports:
        return ()
    cited = (f"drift:{endpoint.name}",)
    latest = reports[-1]
    far = [each for each in latest.features if each.psi >= _MOVED and each.n >= _ROWS]
    if not far:
        few = max((each.n for each in latest.features), default=0) < _ROWS
        why = f"fewer than {_ROWS} rows" if few else f"no PSI reaches {_MOVED}"
        text = f"{endpoint.name}: on {_when(latest.window)} no feature is known to have moved far ({why})."
        return (Statement(text=text, because=cited),)
    far.sort(key=lambda each: (-each.psi, each.column))
    told = ", ".join(
        f"{each.column} (PSI {each.psi:.2f}, {_since(reports, each.column)})" for each in far[:5]
    )
    text = f"{endpoint.name}: on {_when(latest.window)} these features had moved: {told}. Movement alone harms nothing."
    return (Statement(text=text, because=cited),)


def checks(seen: Seen) -> tuple[Statement, ...]:
    """Contract checks that failed, the latest first."""
    server = seen.repository.server
    failed = [each for each in (server.checks or ()) if not each[2]] if server else []
    failed.sort(key=lambda each: (each[1], each[0]), reverse=True)
    return tuple(
        Statement(
            text=f"{at:%Y-%m-%d %H:%M} data set {name!r} broke its contract.",
            because=("running.checks_have_rejected",),
        )
        for name, at, _ in failed[:5]
    )


def _versions(days: Sequence[Performance], endpoint: str) -> list[Statement]:
    said: list[Statement] = []
    for before, after in pairwise(days):
        if before.versions != after.versions and after.versions:
            text = f"{_when(after.window)} {endpoint}: answered by {', '.join(after.versions)}"
            text += f" (before: {', '.join(before.versions) or 'nothing'})"
            said.append(Statement(text=text, because=(f"performance:{endpoint}",)))
    return said[::-1][:5]


def _rollout(each: Rollout) -> Statement:
    text = (
        f"{each.started:%Y-%m-%d %H:%M} rollout of {each.model}/{each.challenger} against /{each.champion}: "
    )
    text += each.state
    if each.last is not None:
        text += f", verdict {each.last.verdict} ({each.last.reason})"
    return Statement(text=text, because=(f"rollout:{each.id}",))


def _alert(each: Alert) -> Statement:
    text = f"{each.fired:%Y-%m-%d %H:%M} alert {each.rule} ({each.state}): {each.summary}"
    open_one = each.state is not AlertState.RESOLVED
    return Statement(text=text, because=(f"alert:{each.id}",), remedy=each.next_command if open_one else "")


def _since(reports: Sequence[DriftReport], column: str) -> str:
    """Since when a feature has been far from its reference without a break."""
    first = reports[-1].window
    for report in reversed(reports):
        if not any(each.column == column and each.psi >= _MOVED for each in report.features):
            break
        first = report.window
    return f"since {_when(first)}"


def _value(each: Performance, metric: str) -> Estimate | None:
    return each.metrics.get(metric)


def _estimate(value: Estimate | None) -> str:
    return f"{value.value:.3f} [{value.lower:.3f}, {value.upper:.3f}]" if value else "–"


def _when(window: Window) -> str:
    long = (window.end - window.start).days > 27
    return f"{window.start:%b %Y}" if long else f"{window.start:%Y-%m-%d}"


def endpoint_count(platform: "Platform") -> str:
    """``2 endpoints``."""
    return plural(len(platform.parts.settings.endpoints), "endpoint")
