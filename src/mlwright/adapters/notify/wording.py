"""A message in words: one line, and what each alert says. Chat, pagers and e-mail have the same words."""

from datetime import UTC, datetime, timedelta

from mlwright.model.alerting import Notice, NoticeKind
from mlwright.model.monitoring import Alert, AlertState

_WORDS = {AlertState.FIRING: "FIRING", AlertState.ACKNOWLEDGED: "TAKEN", AlertState.RESOLVED: "RESOLVED"}


MOST_ALERTS = 20
"""So many members of a group are told in full; the rest are in the inbox."""
LONGEST = 4000
"""Characters of one text: a summary that is longer says no more to anybody."""


def title(notice: Notice, limit: int = 1024) -> str:
    """One line: ``[PAGE · FIRING] delay: auc: AUC of delay in …``; of several alerts their rules.

    No longer than ``limit`` characters.
    """
    mark = f"{notice.level.value.upper()} · {_WORDS[notice.state]}"
    if notice.kind is NoticeKind.TEST:
        mark = f"TEST · {_WORDS[notice.state]}"
    elif notice.kind is NoticeKind.ESCALATION:
        mark += " · nobody has taken it"
    first = notice.alerts[0]
    if len(notice.alerts) == 1:
        return cut(one_line(f"[{mark}] {notice.endpoint}: {first.rule}: {first.summary}"), limit)
    rules = ", ".join(dict.fromkeys(each.rule for each in notice.alerts))
    return cut(one_line(f"[{mark}] {notice.endpoint}: {len(notice.alerts)} alerts: {rules}"), limit)


def facts(alert: Alert) -> list[tuple[str, str]]:
    """What a person needs beside the summary, as names and values: those that are known."""
    change = alert.suspected
    suspected = ""
    if change is not None:
        suspected = f"{change.what} ({instant(change.at)} UTC, {span(change.before)} before, by {change.by})"
    over = f"{instant(alert.resolved)} UTC" if alert.resolved else ""
    known = {
        "state": _WORDS[alert.state].lower(),
        "since": f"{instant(alert.fired)} UTC",
        "over": over,
        "taken by": alert.acknowledged_by or "",
        "suspected change": suspected,
        "owner": alert.owner or "",
        "runbook": alert.runbook,
        "next command": alert.next_command,
        "came back": f"{alert.flaps} times" if alert.flaps else "",
        "alert": str(alert.id),
    }
    return [(name, cut(value, LONGEST)) for name, value in known.items() if value]


def evidence(alert: Alert, limit: int = 10) -> list[tuple[str, str]]:
    """The first plain numbers and texts of the evidence; what is nested stands in the full alert."""
    plain = [
        (str(name), f"{value:.6g}" if isinstance(value, float) else cut(str(value), LONGEST))
        for name, value in alert.evidence.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    return plain[:limit]


def body(notice: Notice) -> str:
    """All of it as lines of text."""
    blocks = []
    for alert in notice.alerts[:MOST_ALERTS]:
        lines = [f"{cut(alert.rule, LONGEST)} ({alert.level.value}): {cut(alert.summary, LONGEST)}"]
        lines += [f"  {name}: {value}" for name, value in facts(alert)]
        shown = evidence(alert)
        if shown:
            lines.append("  evidence: " + ", ".join(f"{name} {value}" for name, value in shown))
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *more(notice)])


def more(notice: Notice) -> list[str]:
    """A line about the members that are not told in full, if there are any."""
    rest = len(notice.alerts) - MOST_ALERTS
    return [f"and {rest} more: mlwright alerts --endpoint {notice.endpoint}"] if rest > 0 else []


def instant(at: datetime) -> str:
    """A UTC instant to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """A length in its largest unit: ``3 h``."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def one_line(text: str) -> str:
    """Without line ends, which would end a header of e-mail, and without half characters, which no wire takes."""
    return " ".join(whole(text).split())


def whole(text: str) -> str:
    """The text with half characters (lone surrogates) written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
