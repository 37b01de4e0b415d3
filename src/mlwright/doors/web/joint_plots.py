"""The drawing of joint drift over the axis of the monitoring page: how well served rows are told from held-out ones."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from mlwright.doors.web.charts import COLOURS
from mlwright.doors.web.timeline import Hint, Line, LinePanel
from mlwright.doors.web.views import Axis
from mlwright.doors.web.words import day, number
from mlwright.model.joint_drift import JointDrift
from mlwright.model.monitoring import Estimate

_DAY: Final = timedelta(days=1)
_NAMED: Final = 3


def joint_panel(axis: Axis, found: Sequence[JointDrift]) -> LinePanel | None:
    """The area by window with its interval, and what is usual within the reference; None without any."""
    known = [(each, each.auc) for each in found if each.auc is not None]
    if not known:
        return None
    at = [(axis.at(each.window.start) + axis.at(each.window.end)) / 2 for each, _ in known]
    gap = 1.6 * max((each.window.end - each.window.start) / _DAY for each, _ in known)
    lines = [
        Line(
            name="served",
            at=at,
            values=[area.value for _, area in known],
            colour=COLOURS[3],
            bands=[(area.lower, area.upper) for _, area in known],
            gap=gap,
        )
    ]
    usual = [each.usual.value if each.usual else None for each, _ in known]
    if any(value is not None for value in usual):
        lines.append(
            Line(name="in the reference", at=at, values=usual, colour=COLOURS[6], style="dashed", gap=gap)
        )
    shown = [bound for _, area in known for bound in (area.lower, area.upper)]
    shown += [value for value in usual if value is not None]
    return LinePanel(
        title="All features together: AUC of a classifier of served and held-out rows "
        f"(shade: {known[-1][1].level:.0%} interval; 0.5 is alike, 1 apart)",
        lines=lines,
        height=140,
        bounds=(min(0.5, *shown), max(0.6, *shown)),
        hints=[
            Hint(start=axis.at(each.window.start), end=axis.at(each.window.end), text=_told(each, area))
            for each, area in known
        ],
    )


def _told(each: JointDrift, area: Estimate) -> str:
    """A window in one line."""
    said = f"AUC {number(area.value)} [{number(area.lower)}, {number(area.upper)}]"
    parts = [f"{day(each.window.start)} to {day(each.window.end - _DAY)}: {said}"]
    parts.append(f"{each.rows:,} rows served, {each.reference_rows:,} held out by {each.version}")
    if each.usual is not None:
        parts.append(f"in the reference itself {number(each.usual.value)}")
    named = [c.column for c in each.columns if c.importance is not None and c.importance > 0][:_NAMED]
    if named and area.lower > 0.5:
        parts.append(f"told apart by {', '.join(named)}")
    return "; ".join(parts)
