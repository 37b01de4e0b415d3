"""The journey of watching: realised quality on matured labels, drift as context, alerts on consequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Alert, MaturityCurve, Performance
from mlwright.model.windows import Window, day_start, month_start
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.logged import Logged, days_of, first_day
from mlwright.platform.parts import Parts
from mlwright.platform.realising import Realised
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
from mlwright.stages.monitoring.labels import matured
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
    alerts: tuple[Alert, ...]


class WatchJourney:
    """Looks at what endpoints answered, once the truth about it is known."""

    def __init__(self, parts: Parts, releases: ReleaseJourney, alerting: AlertJourney) -> None:
        self._parts = parts
        self._releases = releases
        self._alerting = alerting
        self._realised = Realised(parts, releases)

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
            return Watched(days=(), months=(), alerts=())
        logged = Logged(self._parts.log, endpoint, Window(start=start, end=through))
        todo = logged.days()
        # Mostly that is one day, which is read once; of a long absence it is the last one.
        logged = logged.of(todo[-1]) if todo else logged
        days: list[Performance] = []
        for first in range(0, len(todo), _DAYS_A_LOOK):
            self._mark(endpoint, days)
            days += self._measure(endpoint, todo[first : first + _DAYS_A_LOOK], now, "day", logged)
        months = self._months(endpoint, now)
        alerts = self._decide(endpoint, days, now, logged) if days else ()
        return Watched(days=tuple(days), months=months, alerts=alerts)

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
        """Evaluate any window now, without keeping the result. A young one comes with what its labels will be."""
        return self._evaluate(endpoint, window, self._parts.clock.now())

    def slices(
        self, endpoint: str, granularity: Granularity = "day", window: Window | None = None
    ) -> tuple[Performance, ...]:
        """The kept evaluations of slices and variants, oldest first; with a window, those of it, evaluated now.

        Slices are those by the columns that ``monitor.slices`` names. There are variants where several models scored.
        """
        if window is None:
            with self._parts.read() as tx:
                return tuple(monitoring.list_parts(tx, EndpointName(endpoint), granularity))
        answers = self._realised.answers(endpoint, window, self._parts.clock.now())
        return self._realised.parts(answers, answers.endpoint.monitor.level)

    def young(self, endpoint: str) -> tuple[Performance, ...]:
        """The days whose labels are not due yet, evaluated now and never judged: each shows how complete it is."""
        horizon = self._parts.endpoint(endpoint).truth.horizon
        now = self._parts.clock.now()
        window = Window(start=day_start(now - horizon), end=day_start(now) + timedelta(days=1))
        answers = self._realised.answers(endpoint, window, now)
        days = [day for day in days_of(answers.served) if self._realised.immature(answers, day)]
        if not days:
            return ()
        curve = self._realised.curve(endpoint, now)
        return tuple(self._realised.evaluate(answers, window=day, curve=curve) for day in days)

    def maturity(self, endpoint: str) -> MaturityCurve:
        """How soon the labels of the endpoint arrive, and how many never do."""
        return self._realised.curve(self._parts.endpoint(endpoint).name, self._parts.clock.now())

    def verdict(self, endpoint: str) -> AlertDecision | None:
        """What the rule about decay says now, without acting on it; None before anything was evaluated."""
        with self._parts.read() as tx:
            days = monitoring.list_performance(tx, EndpointName(endpoint), "day")
        return self._decay(endpoint, days[-1].window, self._parts.clock.now()) if days else None

    def _watched_through(self, endpoint: str) -> datetime | None:
        """The end of the last day that was evaluated, or the first day that there is anything to evaluate on."""
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, f"watched:{endpoint}")
        return datetime.fromisoformat(mark) if mark else first_day(self._parts, endpoint)

    def _measure(
        self,
        endpoint: str,
        todo: Sequence[Window],
        now: datetime,
        granularity: Granularity,
        logged: Logged | None = None,
    ) -> tuple[Performance, ...]:
        """Evaluate windows, their slices and variants, and keep the results; returns those of the whole windows."""
        made: list[tuple[Performance, tuple[Performance, ...]]] = []
        for window in todo:
            answers = self._realised.answers(endpoint, window, now, logged.of(window) if logged else None)
            made.append((self._realised.evaluate(answers), self._realised.parts(answers)))
        with self._parts.write() as tx:
            for whole, parts in made:
                monitoring.save_performance(tx, whole, granularity)
                monitoring.save_parts(tx, whole, parts, granularity)
        return tuple(whole for whole, _ in made)

    def _mark(self, endpoint: str, days: Sequence[Performance]) -> None:
        """Note how far the days are kept; those that the rules have still to look at are marked with the alerts."""
        if days:
            with self._parts.write() as tx:
                ledger.set_mark(tx, f"watched:{endpoint}", days[-1].window.end.isoformat())

    def _months(self, endpoint: str, now: datetime) -> tuple[Performance, ...]:
        """Evaluate the months that have matured and are not kept: those of all kept days.

        Not of the new days alone: a look that was interrupted, or another process that looks at the same time, leaves
        days without their month.
        """
        horizon, name = self._parts.endpoint(endpoint).truth.horizon, EndpointName(endpoint)
        with self._parts.read() as tx:
            done = monitoring.count_answers(tx, name, "month")
            days = monitoring.count_answers(tx, name, "day")
        starts = {month_start(day) for day, answers in days.items() if answers} - done.keys()
        months = [Window(start=at, end=month_start(at + timedelta(days=32))) for at in sorted(starts)]
        due = [each for each in months if matured(each, horizon, now)]
        return self._measure(endpoint, due, now, "month")

    def _decide(
        self,
        endpoint: str,
        days: Sequence[Performance],
        now: datetime,
        logged: Logged,
    ) -> tuple[Alert, ...]:
        """Let the rules look at the days up to the last one, and open or close alerts; drift of that day is context."""
        decisions = self._judge(endpoint, days, now, logged)
        last = days[-1].window
        with self._parts.write() as tx:
            moved = monitoring.list_drift(tx, EndpointName(endpoint), since=last.start, until=last.end)
            context = context_of(moved[-1]) if moved else {}
            ledger.set_mark(tx, f"watched:{endpoint}", last.end.isoformat())
            return self._alerting.act(tx, decisions, context, now)

    def _evaluate(
        self, endpoint: str, window: Window, now: datetime, *, monitored_only: bool = False
    ) -> Performance:
        answers = self._realised.answers(endpoint, window, now)
        young = self._realised.immature(answers, window)
        curve = self._realised.curve(endpoint, now) if young else None
        return self._realised.evaluate(
            answers, level=answers.endpoint.monitor.level, curve=curve, monitored_only=monitored_only
        )

    def _judge(
        self, endpoint: str, days: Sequence[Performance], now: datetime, logged: Logged
    ) -> tuple[AlertDecision, ...]:
        """What the rules say now: about decay over the monitor's window, about labels and features on the last day."""
        settings = self._parts.endpoint(endpoint)
        last = days[-1].window
        decisions = [decide_missing_labels(days[-1], usual=_USUALLY_MISSING)]
        if views := [each for each in self._parts.settings.feature_views if each.name in settings.features]:
            served = logged.of(last).features
            decisions += [
                decide_missing_features(
                    served,
                    endpoint=EndpointName(endpoint),
                    view=view.name,
                    columns=view.features,
                    window=last,
                )
                for view in views
            ]
        decay = self._decay(endpoint, last, now)
        return (*decisions, decay) if decay else tuple(decisions)

    def _decay(self, endpoint: str, last: Window, now: datetime) -> AlertDecision | None:
        """What the rule about decay says up to a day; None without a champion, or before it answered for a week."""
        settings = self._parts.endpoint(endpoint)
        champion = self._releases.status(endpoint).champion
        with self._parts.read() as tx:
            since = ledger.get_mark(tx, f"champion-since:{endpoint}")
        start = max(last.end - settings.monitor.window, first_day(self._parts, endpoint) or last.start)
        if since:
            start = max(start, day_start(datetime.fromisoformat(since)))
        if champion is None or last.end - start < _SETTLED:
            return None
        reference, words = self._realised.reference(settings, champion)
        return decide_alert(
            self._evaluate(endpoint, Window(start=start, end=last.end), now, monitored_only=True),
            reference=reference,
            reference_of=words,
            settings=settings.monitor,
        )
