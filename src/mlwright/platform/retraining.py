"""The journey back: when to retrain, on which windows, and whether a candidate is worth a rollout."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from inspect import signature

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import CheckFailed, Conflict, MlwrightError, StorageError, UsageError
from mlwright.model.durations import parse_duration
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Decision
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.watch_settings import RetrainSettings
from mlwright.model.windows import Window, day_start, month_start, week_start
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.rolling import RolloutJourney
from mlwright.platform.same_rows import holdout_of
from mlwright.platform.training import TrainingJourney
from mlwright.ports.runtimes import scores_of
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.comparison import FEWEST_DAYS, Candidate, GateDecision, choose
from mlwright.stages.monitoring.triggers import (
    Hold,
    Spent,
    Trigger,
    TriggerFacts,
    due_trigger,
    held,
    needs_approval,
)
from mlwright.stages.rollouts import store as rollouts

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEDULES: dict[str, Callable[[datetime], datetime]] = {
    "schedule:daily": day_start,
    "schedule:weekly": week_start,
    "schedule:monthly": month_start,
}


class RetrainJourney:
    """Decides about retraining, trains candidates, and lets the gate compare them with the champion."""

    def __init__(
        self, parts: Parts, training: TrainingJourney, releases: ReleaseJourney, rollouts: RolloutJourney
    ) -> None:
        self._parts = parts
        self._training = training
        self._releases = releases
        self._rollouts = rollouts

    def consider(self, endpoint: str) -> Decision | None:
        """Retrain if a trigger asks for it and nothing forbids it now; returns the decision, None where none was due.

        A schedule that falls due while a rollout runs, the cool-down lasts or the endpoint has answered nothing
        lately is kept until it can be done. A retraining that fails is a decision too: the champion stays, and the
        cool-down keeps the failure from being repeated at every turn.
        """
        settings = self._parts.endpoint(endpoint)
        if settings.retrain is None:
            return None
        self._note_schedule(settings, settings.retrain)
        trigger = due_trigger(settings.retrain, self._facts(settings, settings.retrain))
        if trigger is None:
            return None
        hold = self._held(settings, settings.retrain)
        if hold is not None:
            self._note_hold(settings, trigger, hold)
            return None
        if needs_approval(settings.retrain, trigger.kind):
            return self._await_approval(settings, trigger)
        began = self._parts.clock.now()
        with self._parts.write() as tx:
            ledger.set_mark(tx, f"acted:{endpoint}", trigger.key)
        try:
            return self.retrain(endpoint, reason=trigger.reason)
        except StorageError:
            raise
        except Exception as failure:  # noqa: BLE001 - a pipeline is the project's code and may raise anything
            why = (
                failure.what if isinstance(failure, MlwrightError) else f"{type(failure).__name__}: {failure}"
            )
            return self._done(settings, "failed: keep the champion", (trigger.reason, why), {}, began=began)

    def retrain(self, endpoint: str, *, reason: str = "asked for by hand") -> Decision:
        """Train a candidate on each window, compare all with the champion on the same rows, start the rollout.

        Raises:
            UsageError: the endpoint has no ``retrain`` settings, or the pipeline registered no model.
            Conflict: a rollout is under way, so that a winner would have to wait.
        """
        settings = self._parts.endpoint(endpoint)
        if settings.retrain is None:
            raise UsageError(
                f"endpoint {endpoint!r} has no retrain settings",
                where="mlwright.toml",
                next_command="mlwright init --help",
            )
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            busy = rollouts.running(tx, EndpointName(endpoint))
            if busy is not None:
                raise Conflict(
                    f"a rollout of {busy.model}/{busy.challenger} is under way at endpoint {endpoint!r}",
                    next_command=f"mlwright rollout abort {endpoint}",
                )
            self._parts.audit(tx, "retrain", f"endpoint:{endpoint}", reason=reason)
        candidates, refused = self._candidates(settings, settings.retrain, now)
        if not candidates:
            return self._done(settings, "keep the champion", (reason, *refused), {}, began=now)
        gate = self._judge(settings, settings.retrain, candidates)
        evidence: dict[str, object] = {
            "candidates": {name: version.ref for name, version in candidates.items()},
            "comparisons": [each.as_evidence() for each in gate.comparisons],
        }
        reasons = (reason, gate.reason, *refused)
        if gate.chosen is None:
            return self._done(settings, "keep the champion", reasons, evidence, began=now)
        winner = candidates[gate.chosen]
        if settings.rollout is None:
            self._releases.deploy(endpoint, winner.ref)
            return self._done(settings, f"deploy {winner.ref}", reasons, evidence, began=now)
        evidence["rollout"] = self._rollouts.start(endpoint, winner.ref).id
        outcome = f"roll out {winner.ref} ({gate.chosen})"
        return self._done(settings, outcome, reasons, evidence, began=now)

    def _candidates(
        self, settings: EndpointSettings, retrain: RetrainSettings, now: datetime
    ) -> tuple[dict[str, ModelVersion], tuple[str, ...]]:
        found: dict[str, ModelVersion] = {}
        refused: list[str] = []
        for window in retrain.windows:
            start = _FIRST if window == "all" else now - parse_duration(window)
            params: dict[str, object] = {"start": start, "end": now}
            if "holdout" in signature(self._training.pipelines()[retrain.pipeline].function).parameters:
                params["holdout"] = _days(retrain)
            try:
                run = self._training.run(
                    retrain.pipeline, params, tags={"window": window, "endpoint": settings.name}
                )
            except CheckFailed as refusal:
                refused.append(f"candidate {window!r} was refused: {refusal.what}")
                continue
            if "model" not in run.tags:
                raise UsageError(
                    f"pipeline {retrain.pipeline!r} registered no model",
                    where=f"run {run.id}",
                    next_command=f"end the pipeline with register(…), then mlwright retrain {settings.name}",
                )
            found[window] = self._releases.version(run.tags["model"])
        return found, tuple(refused)

    def _judge(
        self, settings: EndpointSettings, retrain: RetrainSettings, candidates: dict[str, ModelVersion]
    ) -> GateDecision:
        champion = self._releases.version(settings.model)
        rows = self._same_rows(settings, champion, list(candidates.values()))
        labels = rows[settings.truth.column].cast(pl.Float64).to_numpy()
        days = rows[settings.timestamp].dt.epoch("d").to_numpy()
        model = self._releases.load(champion)
        asked = rows.select(model.signature.input_names).to_dict(as_series=False)
        scored = [
            Candidate(name=name, scores=_scores_of(self._parts, version, rows, settings))
            for name, version in candidates.items()
        ]
        return choose(
            labels,
            champion=np.asarray(scores_of(model, asked)),
            candidates=scored,
            clusters=days,
            metric=settings.monitor.metric,
            level=retrain.gate_level,
            gain=retrain.gate_gain,
        )

    def _same_rows(
        self, settings: EndpointSettings, champion: ModelVersion, candidates: Sequence[ModelVersion]
    ) -> pl.DataFrame:
        """Rows that every candidate held out and, where enough days are left, that the champion never saw either."""
        frames = [holdout_of(self._parts, version) for version in candidates]
        # All windows end at the same instant and hold out the same last stretch, so the rows are the same;
        # should a pipeline choose otherwise, only the rows that all of them held out are comparable.
        rows = min(frames, key=lambda frame: frame.height).drop("score")
        if champion.trained_to is None:
            return rows
        unseen = rows.filter(pl.col(settings.timestamp) > champion.trained_to)
        enough = unseen[settings.timestamp].dt.date().n_unique() >= FEWEST_DAYS
        return unseen if enough else rows

    def _note_schedule(self, settings: EndpointSettings, retrain: RetrainSettings) -> None:
        """Keep that a schedule fell due; the first period that is seen starts the count and is not due itself."""
        every = next((each.removeprefix("schedule:") for each in retrain.on if each in _SCHEDULES), None)
        if every is None:
            return
        period = _SCHEDULES[f"schedule:{every}"](self._parts.clock.now()).isoformat()
        with self._parts.read() as tx:
            seen = ledger.get_mark(tx, f"schedule-seen:{settings.name}")
        if seen == period:
            return
        with self._parts.write() as tx:
            ledger.set_mark(tx, f"schedule-seen:{settings.name}", period)
            if seen is not None:
                ledger.set_mark(tx, f"schedule-due:{settings.name}", f"{every} schedule of {period[:10]}")

    def _facts(self, settings: EndpointSettings, retrain: RetrainSettings) -> TriggerFacts:
        name = EndpointName(settings.name)
        with self._parts.read() as tx:
            firing = monitoring.firing(tx, name)
            due = ledger.get_mark(tx, f"schedule-due:{settings.name}") or ""
            last = ledger.get_mark(tx, f"retrained:{settings.name}")
            since = datetime.fromisoformat(last) if last else None
            days = monitoring.list_performance(tx, name, "day", since) if "data" in retrain.on else ()
            drift = monitoring.list_drift(tx, name, since) if "drift" in retrain.on else ()
        return TriggerFacts(
            decayed=next((alert for alert in firing if alert.rule == settings.monitor.metric), None),
            drift=drift,
            labelled=sum(each.labelled for each in days),
            since=since,
            schedule=due,
        )

    def _held(self, settings: EndpointSettings, retrain: RetrainSettings) -> Hold | None:
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            last = ledger.get_mark(tx, f"retrained:{settings.name}")
            busy = rollouts.running(tx, EndpointName(settings.name)) is not None
            book = ledger.list_decisions(tx, subject=settings.name, kind="retrain", limit=1000)
        since = datetime.fromisoformat(last) if last else None
        lately = [each for each in book if each.at > now - retrain.budget_window]
        done = [each for each in lately if "seconds" in each.evidence]
        spent = Spent(
            last=since,
            runs=len(done),
            time=timedelta(seconds=sum(float(str(each.evidence["seconds"])) for each in done)),
        )
        # The gate compares on the latest stretch: without new answers in it there is nothing to compare on. A project
        # whose past was replayed, or that nobody asks any more, stays as it is.
        start = max(since or now - retrain.gate_window, now - retrain.gate_window)
        stretch = Window(start=min(start, now), end=now)

        def answered() -> bool:
            log = self._parts.log.predictions(
                stretch, served_only=True, endpoint=settings.name, columns=("event_time",)
            )
            return not log.is_empty()

        return held(retrain, spent, now, busy=busy, answered=answered)

    def _note_hold(self, settings: EndpointSettings, trigger: Trigger, hold: Hold) -> None:
        """Write down once that a trigger asked in vain, and why; one that was answered already asks for nothing new."""
        name, said = f"held:{settings.name}", f"{trigger.key}|{hold.key}"
        with self._parts.read() as tx:
            answered = ledger.get_mark(tx, f"acted:{settings.name}") == trigger.key
            if answered or ledger.get_mark(tx, name) == said:
                return
        with self._parts.write() as tx:
            ledger.set_mark(tx, name, said)
            self._parts.decide(
                tx, "trigger", settings.name, f"{trigger.kind} held", (trigger.reason, hold.why), {}
            )

    def _await_approval(self, settings: EndpointSettings, trigger: Trigger) -> Decision | None:
        with self._parts.read() as tx:
            asked = ledger.get_mark(tx, f"approval-asked:{settings.name}")
        if asked == trigger.key:
            return None
        with self._parts.write() as tx:
            ledger.set_mark(tx, f"approval-asked:{settings.name}", trigger.key)
        return self._decide(
            settings,
            "wait for approval",
            (trigger.reason, f"approval is {settings.retrain.approval!r}" if settings.retrain else ""),
            {"next": f"mlwright retrain {settings.name}"},
        )

    def _done(
        self,
        settings: EndpointSettings,
        outcome: str,
        reasons: tuple[str, ...],
        evidence: dict[str, object],
        *,
        began: datetime,
    ) -> Decision:
        # Marked last: a retraining that was killed is asked for again.
        with self._parts.write() as tx:
            ledger.set_mark(tx, f"retrained:{settings.name}", self._parts.clock.now().isoformat())
            ledger.set_mark(tx, f"schedule-due:{settings.name}", "")
            ledger.set_mark(tx, f"approval-asked:{settings.name}", "")
            ledger.set_mark(tx, f"held:{settings.name}", "")
            spent = (self._parts.clock.now() - began).total_seconds()
            evidence = {**evidence, "seconds": round(spent, 3)}
            return self._parts.decide(tx, "retrain", settings.name, outcome, reasons, evidence)

    def _decide(
        self, settings: EndpointSettings, outcome: str, reasons: tuple[str, ...], evidence: dict[str, object]
    ) -> Decision:
        with self._parts.write() as tx:
            return self._parts.decide(tx, "retrain", settings.name, outcome, reasons, evidence)


def _scores_of(
    parts: Parts, version: ModelVersion, rows: pl.DataFrame, settings: EndpointSettings
) -> NDArray[np.float64]:
    # An entity may ask often, and even twice at one instant: by then it is the same question.
    row = [settings.entity, settings.timestamp]
    own = holdout_of(parts, version).select(*row, "score").unique(row, keep="first")
    return rows.join(own, on=row, how="left", maintain_order="left")["score"].to_numpy()


def _days(retrain: RetrainSettings) -> str:
    return f"{retrain.gate_window.days}d"
