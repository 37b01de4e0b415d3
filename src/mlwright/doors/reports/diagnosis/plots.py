"""The drawings of a diagnosis: the loss over time with what was changed, and bars for shares and slices."""

from datetime import datetime

from markupsafe import Markup, escape

from mlwright.doors.web.charts import COLOURS, Event, Series, line_chart
from mlwright.model.diagnosis import Diagnosis

_ONSET, _HAPPENED = COLOURS[4], COLOURS[1]
_FEWEST = 3
"""Points below which a line says less than the two numbers above it."""


def loss_chart(found: Diagnosis, *, width: int = 1060) -> Markup | None:
    """The mean loss over time, the onset and what was changed; None where there are too few instants."""
    points = found.series
    if len(points) < _FEWEST:
        return None
    starts = [each.at for each in points]
    span = (starts[-1] - starts[0]).total_seconds() or 1.0

    def place(at: datetime) -> float:
        seconds = (at - starts[0]).total_seconds()
        return min(max(seconds / span, 0.0), 1.0) * (len(points) - 1)

    # Points lie at equal distances on the axis, as intervals of equal length do.
    events = [
        Event(at=place(each.at), label=f"{each.at:%Y-%m-%d %H:%M}: {each.what}", colour=_HAPPENED, mark="◆")
        for each in found.happenings
        if starts[0] <= each.at <= starts[-1]
    ]
    if found.onset is not None:
        said = f"{found.onset.at:%Y-%m-%d %H:%M}: {found.onset.shape} onset"
        events.append(Event(at=place(found.onset.at), label=said, colour=_ONSET, mark="▲"))
    form = "%-d %b" if span > 3 * 86_400 else "%-d %b %H:%M"
    step = max(1, -(-len(points) // 10))
    return Markup(
        line_chart(
            title=f"{found.metric} by time; lower is better (▲ onset, ◆ a change)",
            places=[f"{each.at:%Y-%m-%d %H:%M}: {each.rows:,} rows" for each in points],
            series=[
                Series(name="loss", values=[each.loss for each in points], colour=COLOURS[3], bold=True),
                Series(
                    name="before", values=[found.loss_before] * len(points), colour=COLOURS[0], dashed=True
                ),
            ],
            events=sorted(events, key=lambda event: event.at),
            markers=len(points) <= 40,
            ticks=[(float(at), f"{points[at].at:{form}}") for at in range(0, len(points), step)],
            digits=3,
            width=width,
            height=260,
        )
    )


def share_bars(found: Diagnosis) -> Markup | None:
    """One bar a cause, filled to its share, with a whisker for its interval."""
    rows = [(str(each.cause), each.share.value, each.share.lower, each.share.upper) for each in found.shares]
    if not rows:
        return None
    high = max(1.0, *(min(upper, 1.5) for *_, upper in rows))
    low = min(0.0, *(max(lower, -0.5) for _, _, lower, _ in rows))
    return _bars(f"Share of the drop by cause, with {found.drop.level:.0%} intervals", rows, low, high)


def slice_bars(found: Diagnosis) -> Markup | None:
    """One bar a slice: its part of the drop."""
    rows = [
        (each.where, each.contribution, each.contribution, each.contribution) for each in found.slices[:8]
    ]
    if not rows:
        return None
    return _bars(
        "Part of the drop by slice",
        rows,
        min(0.0, *(value for _, value, _, _ in rows)),
        max(1.0, *(value for _, value, _, _ in rows)),
    )


def _bars(title: str, rows: list[tuple[str, float, float, float]], low: float, high: float) -> Markup:
    left, right, step = 260, 70, 30
    width, height = 1060, 44 + step * len(rows)

    def x(value: float) -> float:
        return left + (width - left - right) * (min(max(value, low), high) - low) / (high - low)

    parts = [
        f'<svg class="bars" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" role="img"',
        f' aria-label="{escape(title)}"><text class="bt" x="0" y="16">{escape(title)}</text>',
    ]
    for at, (name, value, lower, upper) in enumerate(rows):
        y = 34 + step * at
        start, end = sorted((x(0.0), x(value)))
        short = name if len(name) <= 38 else f"{name[:37]}…"
        parts.append(
            f'<text class="bl" x="0" y="{y + 13}">{escape(short)}<title>{escape(name)}</title></text>'
            f'<rect class="bv" x="{start:.1f}" y="{y + 2}" width="{max(end - start, 1):.1f}" height="14" rx="2"/>'
        )
        if upper > lower:
            ends = "".join(f"M{x(each):.1f} {y + 5}v8" for each in (lower, upper))
            parts.append(f'<path class="bw" d="M{x(lower):.1f} {y + 9}H{x(upper):.1f}{ends}"/>')
        parts.append(
            f'<text class="bn" x="{width}" y="{y + 13}" text-anchor="end">{value * 100:.0f} %</text>'
        )
    return Markup("".join(parts) + f'<path class="b0" d="M{x(0):.1f} 28V{height - 6}"/></svg>')
