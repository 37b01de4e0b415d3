"""Two drawings about labels: whether scores can be taken at their word, and how soon labels come."""

from datetime import timedelta
from html import escape

from mlwright.doors.web.sizes import lasted
from mlwright.model.monitoring import Calibration, MaturityCurve


def calibration_plot(found: Calibration, *, yes: bool, width: int = 420) -> str:
    """What scores said against what came true; on the diagonal they can be taken at their word."""
    left, top, side = 52, 18, width - 52 - 14
    height = top + side + 40
    values = [value for each in found.bins for value in (each.score, each.label)]
    low, high = (0.0, 1.0) if yes else (min(values), max(values))
    high = high if high > low else low + 1.0

    def x(value: float) -> float:
        return left + side * (min(max(value, low), high) - low) / (high - low)

    def y(value: float) -> float:
        return top + side - side * (min(max(value, low), high) - low) / (high - low)

    most = max(each.rows for each in found.bins)
    parts = [
        f'<svg class="cal" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"',
        f' aria-label="Calibration: what came true against what scores said, {len(found.bins)} bins">',
    ]
    for step in range(6):
        value = low + (high - low) * step / 5
        parts.append(
            f'<path class="grid" d="M{left} {y(value):.1f}H{left + side}M{x(value):.1f} {top}V{top + side}"/>'
            f'<text x="{left - 7}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
            f'<text x="{x(value):.1f}" y="{top + side + 15}" text-anchor="middle">{value:.3g}</text>'
        )
    parts.append(f'<path class="right" d="M{x(low):.1f} {y(low):.1f}L{x(high):.1f} {y(high):.1f}"/>')
    joined = "L".join(f"{x(each.score):.1f} {y(each.label):.1f}" for each in found.bins)
    parts.append(f'<path class="line" d="M{joined}"/>')
    for each in found.bins:
        said = f"{each.rows:,} rows: said {each.score:.3g}, came {each.label:.3g}"
        parts.append(
            f'<circle class="bin" cx="{x(each.score):.1f}" cy="{y(each.label):.1f}" '
            f'r="{2.5 + 4 * (each.rows / most) ** 0.5:.1f}"><title>{escape(said)}</title></circle>'
        )
    words = ("mean score", "came true") if yes else ("answer", "label")
    parts.append(f'<text x="{left + side}" y="{height - 6}" text-anchor="end">{words[0]} →</text>')
    parts.append(f'<text x="{left}" y="12" text-anchor="start">↑ {words[1]}</text></svg>')
    return "".join(parts)


def arrival_plot(curve: MaturityCurve, horizon: timedelta, *, width: int = 420) -> str | None:
    """The share of answers that have a label, by how long ago they were given; None where none is known."""
    if not curve.delays:
        return None
    left, top, side, high = 52, 18, width - 52 - 14, 190
    longest = max(curve.delays[-1], horizon.total_seconds())

    def x(seconds: float) -> float:
        return left + side * min(seconds / longest, 1.0)

    def y(share: float) -> float:
        return top + high - high * share

    height = top + high + 40
    parts = [
        f'<svg class="cal" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"',
        f' aria-label="Arrival of labels: {curve.final:.0%} of answers get one">',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<path class="grid" d="M{left} {y(share):.1f}H{left + side}"/>'
            f'<text x="{left - 7}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for part in (0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<text x="{x(longest * part):.1f}" y="{top + high + 15}" text-anchor="{"end" if part == 1 else "middle"}">'
            f"{lasted(longest * part * 1000)}</text>"
        )
    steps = [f"M{x(0):.1f} {y(0):.1f}"]
    steps += [
        f"H{x(delay):.1f}V{y(share):.1f}" for delay, share in zip(curve.delays, curve.shares, strict=True)
    ]
    due = x(horizon.total_seconds())
    parts.append(f'<path class="line" d="{"".join(steps)}H{left + side}"/>')
    parts.append(
        f'<path class="right" d="M{due:.1f} {top}V{top + high}"/><text x="{due - 5:.1f}" y="{top + high - 6}" '
        'text-anchor="end">due</text>'
    )
    parts.append(
        f'<text x="{left + side}" y="{height - 6}" text-anchor="end">after the answer →</text></svg>'
    )
    return "".join(parts)
