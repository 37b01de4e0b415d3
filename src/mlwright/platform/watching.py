"""The journey of watching: realised quality on matured labels, drift as context, alerts on consequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Alert, DriftReport, Performance
from mlwright.model.windows import Window, day_start, month_start
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.drifting import DriftJourney
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.alerts import (
    AlertDecision,
    context_of,
    decide_alert,
    decide_lost_records,
    decide_missing_features,
    decide_missing_labels,
)
from mlwright.stages.monitoring.labels import join_labels, matured
from mlwright.stages.monitoring.performance import evaluate
from mlwright.stages.monitoring.store import Granularity

_USUALLY_MISSING = 0.03
"""Share of predictions that never get a label where nothing is wrong (of flights, those cancelled or diverted)."""

_DAYS_A_LOOK = 31
"""Days that are evaluated and kept in one transaction."""

_SETTLED = timedelta(days=7)
"""A new champion is judged once it has answered for a whole week: fewer days say more about weekdays than about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one look at an endpoint brought."""

    days: tuple[Performance, ...]
    months: tuple[Performance, ...]
    drift: tuple[DriftReport, ...]
    alerts: tuple[Alert, ...]


class WatchJourney:
    """Looks at what endpoints answered, once the truth about it is known."""

    def __init__(
        self, parts: Parts, releases: ReleaseJourney, drifting: DriftJourney, alerting: AlertJourney
    ) -> None:
        self._parts = parts
        self._releases = releases
        self._drifting = drifting
        self._alerting = alerting

    def watch(self, endpoint: str) -> Watched:
        """Evaluate every day (UTC) with predictions whose labels have matured since the last look; decide about alerts.

        Each day is evaluated once and kept; a month is evaluated when all of it has matured. Time in which the
        endpoint answered nothing is neither evaluated nor judged, however long it was. After a long absence the days
        are kept a few weeks at a time, so that a look that is interrupted goes on where it was.
        """
        settings = self._parts.endpoint(endpoint)
        now = self._parts.clock.now()
        start = self._watched_through(endpoint)
        through = day_start(now - settings.truth.horizon)
        if start is None or start >= through:
            return Watched(days=(), months=(), drift=(), alerts=())
        todo = self._busy_days(endpoint, Window(start=start, end=through))
        days: list[Performance] = []
        reports: list[DriftReport] = []
        for first in range(0, len(todo), _DAYS_A_LOOK):
            self._mark(endpoint, days)
            results, moved = self._look(endpoint, todo[first : first + _DAYS_A_LOOK], now)
            days += results
            reports += moved
        months = self._months(endpoint, todo, start, now)
        alerts = self._decide(endpoint, days, reports, now) if days else ()
        return Watched(days=tuple(days), months=months, drift=tuple(reports), alerts=alerts)

    def lost(self, endpoint: str) -> tuple[Alert, ...]:
        """Look whether predictions were answered that the log did not take; returns the alerts that changed."""
        lost = self._parts.log.dropped().get(endpoint, 0)
        name, now = f"lost:{endpoint}", self._parts.clock.now()
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, name)
        if not lost and not mark:
            return ()
        before, since = mark.split("@") if mark else ("0", now.isoformat())
        why = next((each.trouble for each in self._parts.log.rings() if each.trouble), None)
        decision = decide_lost_records(
            EndpointName(endpoint),
            lost=lost,
            before=int(before),
            since=datetime.fromisoformat(since),
            now=now,
            why=why,
        )
        with self._parts.write() as tx:
            if lost > int(before):
                ledger.set_mark(tx, name, f"{lost}@{now.isoformat()}")
            return self._alerting.act(tx, (decision,), {}, now)

    def performance(self, endpoint: str, granularity: Granularity = "day") -> tuple[Performance, ...]:
        """The kept evaluations, oldest first. ``granularity`` is ``day`` or ``month``."""
        with self._parts.read() as tx:
            return tuple(monitoring.list_performance(tx, EndpointName(endpoint), granularity))

    def window(self, endpoint: str, window: Window) -> Performance:
        """Evaluate any window now, without keeping the result."""
        return self._evaluate(endpoint, window, "window", self._parts.clock.now())

    def _watched_through(self, endpoint: str) -> datetime | None:
        """The end of the last day that was evaluated, or the first day that there is anything to evaluate on."""
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, f"watched:{endpoint}")
        return datetime.fromisoformat(mark) if mark else self._first_day(endpoint)

    def _busy_days(self, endpoint: str, window: Window) -> tuple[Window, ...]:
        """The days (UTC) on which the endpoint answered something. The window begins and ends at midnight."""
        answered = self._parts.log.predictions(window, served_only=True, endpoint=endpoint)
        midnights = answered["event_time"].dt.truncate("1d").unique().sort()
        return tuple(Window(start=day, end=day + timedelta(days=1)) for day in midnights)

    def _look(
        self, endpoint: str, todo: Sequence[Window], now: datetime
    ) -> tuple[tuple[Performance, ...], tuple[DriftReport, ...]]:
        """Evaluate some days and keep the results."""
        days = tuple(self._evaluate(endpoint, day, "day", now) for day in todo)
        reports = self._drifting.measure(endpoint, todo)
        with self._parts.write() as tx:
            for result in days:
                monitoring.save_performance(tx, result, "day")
            for report in reports:
                monitoring.save_drift(tx, report)
        return days, reports

    def _mark(self, endpoint: str, days: Sequence[Performance]) -> None:
        """Note how far the days are kept; those that the rules have still to look at are marked with the alerts."""
        if days:
            with self._parts.write() as tx:
                ledger.set_mark(tx, f"watched:{endpoint}", days[-1].window.end.isoformat())

    def _months(
        self, endpoint: str, todo: Sequence[Window], start: datetime, now: datetime
    ) -> tuple[Performance, ...]:
        """Evaluate the months that have matured: those of the new days, and the one that stood open before."""
        horizon = self._parts.endpoint(endpoint).truth.horizon
        # The start is the end of the last day evaluated, so the instant before it lies in the month left open.
        first = month_start(start - timedelta(microseconds=1))
        with self._parts.read() as tx:
            kept = monitoring.list_performance(tx, EndpointName(endpoint), "month", first)
            open_one = monitoring.list_performance(tx, EndpointName(endpoint), "day", first)
        starts = {month_start(each.start) for each in todo}
        starts |= {month_start(each.window.start) for each in open_one if each.predictions}
        months = [Window(start=at, end=month_start(at + timedelta(days=32))) for at in sorted(starts)]
        done = {each.window.start for each in kept}
        results = tuple(
            self._evaluate(endpoint, month, "month", now)
            for month in months
            if month.start not in done and matured(month, horizon, now)
        )
        if results:
            with self._parts.write() as tx:
                for result in results:
                    monitoring.save_performance(tx, result, "month")
        return results

    def _decide(
        self, endpoint: str, days: Sequence[Performance], reports: Sequence[DriftReport], now: datetime
    ) -> tuple[Alert, ...]:
        """Let the rules look at the days up to the last one, and open or close alerts."""
        decisions = self._judge(endpoint, days, now)
        context = context_of(reports[-1]) if reports else {}
        with self._parts.write() as tx:
            ledger.set_mark(tx, f"watched:{endpoint}", days[-1].window.end.isoformat())
            return self._alerting.act(tx, decisions, context, now)

    def _first_day(self, endpoint: str) -> datetime | None:
        """The day of the endpoint's first prediction, found once and kept."""
        name = f"first-day:{endpoint}"
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, name)
        if mark:
            return datetime.fromisoformat(mark)
        first = self._parts.log.predictions(None, served_only=True, endpoint=endpoint)["event_time"].min()
        if not isinstance(first, datetime):
            return None
        day = day_start(first)
        with self._parts.write() as tx:
            ledger.set_mark(tx, name, day.isoformat())
        return day

    def _evaluate(self, endpoint: str, window: Window, granularity: str, now: datetime) -> Performance:
        settings = self._parts.endpoint(endpoint)
        answered = self._parts.log.predictions(window, served_only=True, endpoint=endpoint)
        # A label is observed after its event, so nothing before the window's start can belong to it.
        since = Window(start=window.start, end=max(now, window.end) + timedelta(days=1))
        return evaluate(
            join_labels(answered, self._parts.log.labels(since, endpoint=endpoint)),
            endpoint=EndpointName(endpoint),
            window=window,
            horizon=settings.truth.horizon,
            now=now,
            level=settings.monitor.level if granularity == "window" else 0.95,
        )

    def _judge(self, endpoint: str, days: Sequence[Performance], now: datetime) -> tuple[AlertDecision, ...]:
        """What the rules say now: about decay over the monitor's window, about labels and features on the last day."""
        settings = self._parts.endpoint(endpoint)
        champion = self._releases.status(endpoint).champion
        last = days[-1].window
        with self._parts.read() as tx:
            since = ledger.get_mark(tx, f"champion-since:{endpoint}")
        start = max(last.end - settings.monitor.window, self._first_day(endpoint) or last.start)
        if since:
            start = max(start, day_start(datetime.fromisoformat(since)))
        decisions = [decide_missing_labels(days[-1], usual=_USUALLY_MISSING)]
        served = self._parts.log.features(last, endpoint=endpoint)
        decisions += [
            decide_missing_features(
                served, endpoint=EndpointName(endpoint), view=view.name, columns=view.features, window=last
            )
            for view in self._parts.settings.feature_views
            if view.name in settings.features
        ]
        if champion is not None and champion.evaluation is not None and last.end - start >= _SETTLED:
            measured = self._evaluate(endpoint, Window(start=start, end=last.end), "window", now)
            decisions.append(
                decide_alert(
                    measured,
                    reference=champion.evaluation.metrics[settings.monitor.metric],
                    reference_of=f"{champion.ref} at its release",
                    settings=settings.monitor,
                )
            )
        return tuple(decisions)
