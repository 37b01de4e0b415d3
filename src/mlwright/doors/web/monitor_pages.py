"""The page of one endpoint's monitoring: quality, drift, data quality and events over one time axis."""

from mlwright.doors.http.control.calls import Control
from mlwright.doors.web.address import Query
from mlwright.doors.web.label_plots import arrival_plot, calibration_plot
from mlwright.doors.web.moments import LEGEND, latest
from mlwright.doors.web.monitor_charts import monitor_chart
from mlwright.doors.web.monitor_facts import RANGES, Quality, monitored
from mlwright.doors.web.paper import render
from mlwright.model.metrics import METRICS, higher_is_better
from mlwright.model.monitoring import Performance

_EVENTS = 60
_MONTHS = 24


def monitor_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """Everything that is watched of one endpoint. ``?days=`` says how far back; a year unless given.

    Raises:
        NotFound: there is no such endpoint; the nearest is suggested.
    """
    chosen = query.whole("days", 366, 1, 3660)
    found = monitored(control, path["endpoint"], chosen)
    quality = found.quality
    return render(
        "monitor.html",
        here="/monitor",
        found=found,
        query=query,
        ranges=RANGES,
        chart=monitor_chart(found),
        legend=LEGEND,
        events=latest(found.moments, _EVENTS),
        hidden=max(0, len(found.moments) - _EVENTS),
        months=tuple(reversed(quality.months[-_MONTHS:])),
        names=[each.name for each in control.platform.parts.settings.endpoints],
        **quality_parts(quality),
    )


def quality_parts(quality: Quality) -> dict[str, object]:
    """What both the monitoring page and the data scientists' view show of an endpoint's quality."""
    calibration = quality.calibration
    yes = quality.settings.monitor.task == "binary"
    horizon = quality.settings.label.horizon if quality.settings.label else None
    return {
        "quality": quality,
        "calibration": calibration,
        "calibrated": calibration_plot(calibration[1], yes=yes) if calibration else None,
        "arrival": arrival_plot(quality.curve, horizon) if quality.curve and horizon else None,
        "judge": judge,
        "shown_metrics": shown_metrics(quality),
        "short_versions": short_versions,
    }


def shown_metrics(quality: Quality) -> tuple[str, ...]:
    """The monitored metric, and up to two others of the task that were measured."""
    measured = {name for each in quality.months[-1:] or quality.days[-1:] for name in each.metrics}
    order = [name for name in METRICS.get(quality.settings.monitor.task, ()) if name in measured]
    order += sorted(measured - set(order))
    return (quality.metric, *[name for name in order if name != quality.metric][:2])


def judge(quality: Quality, part: Performance) -> str:
    """How a part of a window compares with the whole, as far as its interval says: ``worse``, ``better`` or "".

    A part is a part of the whole too, so that this errs on the side of silence.
    """
    whole = quality.whole_of(part)
    mine, all_of = part.metrics.get(quality.metric), whole.metrics.get(quality.metric) if whole else None
    if mine is None or all_of is None:
        return ""
    below, above = mine.upper < all_of.value, mine.lower > all_of.value
    if not higher_is_better(quality.metric):
        below, above = above, below
    return "worse" if below else "better" if above else ""


def short_versions(found: Performance) -> str:
    """Who answered, in as few letters as say it: ``v4, v5`` where all are of one model."""
    refs = [each.rpartition("/") for each in found.versions]
    if len({model for model, _, _ in refs}) == 1 and all(version.isdecimal() for _, _, version in refs):
        return ", ".join(f"v{version}" for _, _, version in refs)
    return ", ".join(found.versions)
