"""What was found of served data, in the terminal."""

from rich.console import Group, RenderableType

from mlwright.doors.cli.show import pairs, table
from mlwright.model.checking import DataQuality
from mlwright.model.durations import format_duration


def served_data(found: DataQuality) -> RenderableType:
    """Contract, freshness, volume and skew of one window."""
    volume = found.volume
    about: dict[str, object] = {
        "served in": str(found.window),
        "rows": found.rows,
        "outside of the contract": f"{found.flagged:.1%} of the rows",
        "answered by a fallback": f"{found.degraded:.1%} of the rows",
    }
    if volume is not None:
        said = f"{volume.unusual} than usual" if volume.unusual else "as usual"
        about["volume"] = f"{said} ({volume.usual:,.0f}; {volume.lower:,.0f} to {volume.upper:,.0f})"
    parts: list[RenderableType] = [pairs(about)]
    if found.violations:
        broken = [(each.column, each.what, each.rows, each.share) for each in found.violations]
        parts.append(table(["field", "is", "rows#", "share#"], broken, title="outside of the contract"))
    if found.ages:
        ages = [
            (
                each.view,
                f"{each.age.total_seconds() / 86_400:,.1f} days",
                format_duration(each.limit),
                "stale" if each.stale else "",
            )
            for each in found.ages
        ]
        parts.append(table(["feature view", "newest value is old", "may be old", ""], ages))
    if found.skew is not None:
        rows = [
            (each.column, each.rows, each.share, each.lower, each.upper, each.mechanism, each.text)
            for each in found.skew.columns
        ]
        columns = ["feature", "computed again#", "differs#", "from#", "to#", "how", ""]
        parts.append(table(columns, rows, title="served against computed again offline"))
        parts += [f"not computed: {each}" for each in found.skew.not_done]
    return Group(*parts)
