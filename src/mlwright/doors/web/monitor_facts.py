"""What the pages about one endpoint's quality rest on: values of the façade, gathered once a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mlwright.doors.http.control.calls import Control
from mlwright.doors.web.moments import Moment, moments_of
from mlwright.doors.web.views import Axis
from mlwright.model.checking import DataQuality
from mlwright.model.joint_drift import JointDrift
from mlwright.model.metrics import higher_is_better
from mlwright.model.monitoring import Calibration, DriftReport, MaturityCurve, Performance
from mlwright.model.part_drift import DriftByPart
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window, day_start
from mlwright.platform.diagnosing import Kept
from mlwright.platform.releases import EndpointStatus
from mlwright.stages.monitoring.alerts import AlertDecision

_DAY: Final = timedelta(days=1)
RANGES: Final = (30, 90, 366, 1098)
"""Days that can be chosen to be shown."""
_USUAL: Final = 366
_LONGEST: Final = 3660


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well an endpoint did, as far as labels say, and what was expected before they came.

    ``young`` are the days whose labels are not due yet, ``curve`` how soon they come, ``slices`` and ``variants`` parts
    of the latest window that has any. ``lately`` is over the monitor's window, ``verdict`` what its rule says.
    """

    settings: EndpointSettings
    status: EndpointStatus
    days: tuple[Performance, ...]
    months: tuple[Performance, ...]
    young: tuple[Performance, ...]
    lately: Performance | None
    verdict: AlertDecision | None
    curve: MaturityCurve | None
    parts: tuple[Performance, ...]
    versions: Mapping[str, ModelVersion]
    diagnosis: Kept | None

    @property
    def metric(self) -> str:
        """The one that the rule about decay looks at."""
        return self.settings.monitor.metric

    @property
    def slices(self) -> tuple[Performance, ...]:
        """Parts by a feature's values, the worst first; those without the metric last."""
        return tuple(sorted((e for e in self.parts if not e.part.startswith("variant=")), key=self._badness))

    @property
    def variants(self) -> tuple[Performance, ...]:
        """Parts by who scored."""
        return tuple(each for each in self.parts if each.part.startswith("variant="))

    @property
    def calibration(self) -> tuple[Performance, Calibration] | None:
        """The latest calibration with bins, and of which window."""
        for each in (self.lately, *reversed(self.months), *reversed(self.days)):
            if each is not None and each.calibration is not None and each.calibration.bins:
                return each, each.calibration
        return None

    def whole_of(self, part: Performance) -> Performance | None:
        """The whole window that a part belongs to."""
        return next((e for e in (*self.months, *self.days) if e.window == part.window), None)

    def limit_of(self, performance: Performance) -> float | None:
        """The value that quality must not fall below (losses: rise above): by the version that answered then."""
        monitor = self.settings.monitor
        version = self.versions.get(performance.versions[0]) if performance.versions else None
        known = version.evaluation.metrics.get(monitor.metric) if version and version.evaluation else None
        if known is None:
            return None
        up = higher_is_better(monitor.metric)
        return known - monitor.tolerance if up else abs(known) + monitor.tolerance

    def _badness(self, part: Performance) -> float:
        found = part.metrics.get(self.metric)
        if found is None:
            return float("inf")
        return found.value if higher_is_better(self.metric) else -abs(found.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """An endpoint over a stretch of time."""

    quality: Quality
    axis: Axis
    chosen: int
    drift: tuple[DriftReport, ...]
    drift_by_part: DriftByPart | None
    joint: tuple[JointDrift, ...]
    moments: tuple[Moment, ...]
    checked: DataQuality | None
    now: datetime

    @property
    def window(self) -> Window:
        """The stretch."""
        return Window(start=self.axis.start, end=self.axis.start + self.axis.days * _DAY)


def quality_of(control: Control, endpoint: str) -> Quality:
    """Gather what is known of an endpoint's quality.

    Raises:
        NotFound: there is no such endpoint; the nearest is suggested.
    """
    platform, looked = control.platform, control.turns.looks.seen
    settings = platform.parts.endpoint(endpoint)
    name = settings.name
    judged = settings.label is not None
    young = looked.young.get(name, ())
    days = platform.watch.performance(name, "day") if judged else ()
    evaluated = {each.window.start for each in days}
    parts = (platform.watch.slices(name, "month") or platform.watch.slices(name, "day")) if judged else ()
    kept = platform.diagnosing.diagnoses(name, limit=1)
    return Quality(
        settings=settings,
        status=platform.releases.status(name),
        days=days,
        months=platform.watch.performance(name, "month") if judged else (),
        young=tuple(each for each in young if each.window.start not in evaluated),
        lately=looked.lately.get(name),
        verdict=looked.verdicts.get(name),
        curve=looked.curves.get(name),
        parts=tuple(each for each in parts if each.window == parts[-1].window),
        versions={each.ref: each for each in platform.releases.models()},
        diagnosis=kept[0] if kept else None,
    )


def monitored(control: Control, endpoint: str, days: int | None = None) -> Monitored:
    """Gather everything that the monitoring page shows of an endpoint.

    Args:
        control: the door's.
        endpoint: its name.
        days: how many to show, back from the latest that anything is known of; None: a year.

    Raises:
        NotFound: there is no such endpoint; the nearest is suggested.
    """
    quality = quality_of(control, endpoint)
    platform = control.platform
    drift = platform.drifting.drift(quality.settings.name)
    joint = platform.shifting.kept(quality.settings.name)
    chosen = min(days or _USUAL, _LONGEST)
    axis = _axis(platform.parts.clock.now(), chosen, quality, drift or joint)
    window = Window(start=axis.start, end=axis.start + axis.days * _DAY)
    return Monitored(
        quality=quality,
        axis=axis,
        chosen=chosen,
        drift=tuple(each for each in drift if window.start <= each.window.start < window.end),
        drift_by_part=platform.drifting.by_part(quality.settings.name),
        joint=tuple(
            each for each in joint if window.start < each.window.end and each.window.start < window.end
        ),
        moments=moments_of(platform, quality.settings.name, window),
        checked=platform.checking.latest(quality.settings.name),
        now=platform.parts.clock.now(),
    )


def _axis(now: datetime, chosen: int, quality: Quality, drift: Sequence[DriftReport | JointDrift]) -> Axis:
    """From the first day that anything is known of to the last one, at most so many days."""
    known = [each.window for each in (*quality.days, *quality.young)] + [each.window for each in drift]
    if not known:
        return Axis(start=day_start(now) - 13 * _DAY, days=14)
    end = day_start(max(each.end for each in known) + _DAY - timedelta(microseconds=1))
    start = max(day_start(min(each.start for each in known)), end - chosen * _DAY)
    return Axis(start=start, days=max(1, (end - start) // _DAY))
