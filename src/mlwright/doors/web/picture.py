"""The picture of a demo's year: four strategies, month by month, and when the model changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlwright.doors.web.charts import COLOURS, Event, Series, line_chart

_ORDER = (
    "never retrained",
    "always the last three months",
    "always all history",
    "managed by mlwright",
)


def year_picture(year: Any, *, width: int = 860) -> str:
    """Draw the year's result, given as plain values (see ``doors/cli/demo/results.py``)."""
    months: Sequence[Mapping[str, Any]] = year["months"]
    means: Mapping[str, float] = year["mean_auc"]
    changes: Mapping[str, int] = year["model_changes"]
    series = [
        Series(
            name=f"{name.removeprefix('always ')} {means[name]:.3f} · {changes[name]}×",
            values=[month["auc"][name] for month in months],
            colour=colour,
            bold=name == _ORDER[-1],
            dashed=name == _ORDER[0],
        )
        for name, colour in zip(_ORDER, COLOURS, strict=False)
    ]
    promoted = [
        Event(at=at, label="promoted", colour=COLOURS[3])
        for at, month in enumerate(months)
        for did in month["did"]
        if " rollout: promoted" in did
    ]
    return line_chart(
        title="AUC by month on real flights (label: mean over the months · model changes)",
        places=[month["month"] for month in months],
        series=series,
        events=promoted,
        width=width,
    )
