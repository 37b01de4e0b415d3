"""Realised quality of an endpoint: its answers, their labels, and what else the metrics need, brought together."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Estimate, MaturityCurve, Performance
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window
from mlwright.platform.logged import Logged
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.same_rows import holdout_of
from mlwright.platform.slice_cuts import slice_cuts
from mlwright.stages.monitoring.foreseeing import Foresight, foreseen, foresight
from mlwright.stages.monitoring.labels import join_labels, matured
from mlwright.stages.monitoring.maturity import maturity_curve
from mlwright.stages.monitoring.performance import evaluate, evaluate_parts, predicted_classes

_SHORTEST: Final = timedelta(days=30)
_HORIZONS: Final = 4
"""The maturity curve is taken over so many label horizons, thirty days at least."""
_KEPT_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All answers of a window, of every variant, with their labels and the columns that the settings name."""

    endpoint: EndpointSettings
    window: Window
    now: datetime
    rows: pl.DataFrame

    @property
    def served(self) -> pl.DataFrame:
        """Those that somebody got."""
        return self.rows.filter("served")


class Realised:
    """Measures windows of an endpoint. What it learns of model versions is kept in memory."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases
        self._learned: dict[tuple[str, str], Foresight | None] = {}
        self._references: dict[tuple[str, str, str], tuple[float | None, str]] = {}

    def answers(self, endpoint: str, window: Window, now: datetime, logged: Logged | None = None) -> Answers:
        """Read the answers of a window, and what is known of them by now. ``logged`` may have read it already."""
        settings, log = self._parts.endpoint(endpoint), self._parts.log
        logged = logged or Logged(log, endpoint, window)
        answered = logged.answered
        if settings.monitor.task == "classes":
            answered = _with_classes(answered, log.outputs(window, endpoint=endpoint))
        answered = self._with_columns(settings, answered, logged)
        # A label is observed after its event, so nothing before the window's start can belong to it.
        since = Window(start=window.start, end=max(now, window.end) + timedelta(days=1))
        joined = join_labels(answered, log.labels(since, endpoint=endpoint))
        return Answers(endpoint=settings, window=window, now=now, rows=joined)

    def evaluate(
        self,
        answers: Answers,
        *,
        window: Window | None = None,
        level: float = _KEPT_LEVEL,
        curve: MaturityCurve | None = None,
        monitored_only: bool = False,
    ) -> Performance:
        """Measure what was served in a window, which is that of the answers or lies in it.

        With ``monitored_only`` only by the metric that is monitored, which is all that the rule about decay looks at.
        """
        settings, within = answers.endpoint, window or answers.window
        served = answers.served
        return evaluate(
            served,
            endpoint=EndpointName(settings.name),
            window=within,
            horizon=settings.truth.horizon,
            now=answers.now,
            level=level,
            settings=settings.monitor,
            value=settings.value,
            curve=curve,
            expected={} if monitored_only else self._expected(settings, _inside(served, within)),
            monitored_only=monitored_only,
        )

    def parts(self, answers: Answers, level: float = _KEPT_LEVEL) -> tuple[Performance, ...]:
        """Measure the slices that the settings name, and the variants where there are several."""
        settings = answers.endpoint
        if not settings.monitor.slices and answers.rows["variant"].n_unique() < 2:
            return ()
        return evaluate_parts(
            answers.rows,
            endpoint=EndpointName(settings.name),
            window=answers.window,
            horizon=settings.truth.horizon,
            now=answers.now,
            level=level,
            settings=settings.monitor,
            value=settings.value,
            edges=self._edges(settings, answers.rows),
        )

    def curve(self, endpoint: str, now: datetime) -> MaturityCurve:
        """How soon labels arrive, by the answers of the last four label horizons, of thirty days at least."""
        settings, log = self._parts.endpoint(endpoint), self._parts.log
        window = Window.before(now, max(_SHORTEST, _HORIZONS * settings.truth.horizon))
        answered = log.predictions(window, served_only=True, endpoint=endpoint)
        since = Window(start=window.start, end=now + timedelta(days=1))
        joined = join_labels(answered, log.labels(since, endpoint=endpoint))
        return maturity_curve(joined, endpoint=EndpointName(endpoint), window=window, now=now)

    def immature(self, answers: Answers, window: Window) -> bool:
        """Whether labels of a window are not due yet."""
        return not matured(window, answers.endpoint.truth.horizon, answers.now)

    def reference(self, settings: EndpointSettings, version: ModelVersion) -> tuple[float | None, str]:
        """The monitored metric that a version was released with, and what it is, or why nobody knows it.

        What its evaluation does not hold is measured on the rows that it held out.
        """
        metric, evidence = settings.monitor.metric, version.evaluation
        if evidence is not None and metric in evidence.metrics:
            return evidence.metrics[metric], f"{version.ref} at its release"
        key = (settings.name, version.ref, metric)
        if key not in self._references:
            self._references[key] = self._held_out(settings, version)
        return self._references[key]

    def _held_out(self, settings: EndpointSettings, version: ModelVersion) -> tuple[float | None, str]:
        metric = settings.monitor.metric
        if version.evaluation is None or version.evaluation.holdout is None:
            return None, f"{version.ref} was released without {metric} and without held-out rows"
        rows = holdout_of(self._parts, version)
        needed = {settings.truth.column, settings.timestamp, "score"}
        needed |= {each for each in (settings.monitor.group,) if each}
        if lacking := sorted(needed - set(rows.columns)):
            said = f"{version.ref} was released without {metric}, and what it held out has no {', '.join(lacking)}"
            return None, said
        frame = rows.with_columns(
            event_time=pl.col(settings.timestamp),
            label=pl.col(settings.truth.column).cast(pl.Float64, strict=False),
            model_version=pl.lit(version.ref),
            **({"weight": pl.lit(1.0)} if "weight" in rows.columns else {}),
        )
        window = Window(
            start=version.evaluation.start, end=version.evaluation.end + timedelta(microseconds=1)
        )
        found = evaluate(
            frame,
            endpoint=EndpointName(settings.name),
            window=window,
            horizon=settings.truth.horizon,
            now=self._parts.clock.now(),
            level=_KEPT_LEVEL,
            # A value of the metric needs no clusters, and the hold-out may not have their column.
            settings=replace(settings.monitor, cluster=None),
        )
        measured = found.metrics.get(metric)
        if measured is None:
            return None, f"{metric} is not defined on the rows that {version.ref} held out"
        return measured.value, f"{version.ref} on the {found.labelled:,} rows that it held out"

    def _expected(self, settings: EndpointSettings, served: pl.DataFrame) -> Mapping[str, Estimate]:
        """By the version that answered most."""
        if settings.monitor.task not in ("binary", "regression") or served.is_empty():
            return {}
        counted = served["model_version"].drop_nulls().value_counts(sort=True)
        if counted.is_empty():
            return {}
        learned = self._foresight(settings, counted["model_version"][0])
        return foreseen(learned, served) if learned else {}

    def _foresight(self, settings: EndpointSettings, ref: str) -> Foresight | None:
        key = (settings.name, ref)
        if key not in self._learned:
            self._learned[key] = self._learn(settings, ref)
        return self._learned[key]

    def _learn(self, settings: EndpointSettings, ref: str) -> Foresight | None:
        with suppress(NotFound):
            known = self._releases.version(ref)
            if known.evaluation is not None and known.evaluation.holdout is not None:
                return self._learn_from(settings, known)
        return None

    def _learn_from(self, settings: EndpointSettings, known: ModelVersion) -> Foresight | None:
        return foresight(
            holdout_of(self._parts, known),
            version=known.ref,
            label=settings.truth.column,
            task=settings.monitor.task,
            threshold=settings.monitor.threshold,
            inputs=[each.name for each in known.inputs],
            learner=self._parts.learner,
        )

    def _edges(self, settings: EndpointSettings, rows: pl.DataFrame) -> Mapping[str, Sequence[float]]:
        return slice_cuts(self._parts, settings, self._releases.status(settings.name).champion, rows)

    def _with_columns(
        self, settings: EndpointSettings, answered: pl.DataFrame, logged: Logged
    ) -> pl.DataFrame:
        """Add the features that the settings name, under their names."""
        monitor, value = settings.monitor, settings.value
        asked = {*monitor.slices, monitor.cluster, monitor.group, value.amount if value else None}
        wanted = sorted(each for each in asked if each and each not in answered.columns)
        if monitor.task == "regression":
            champion = self._releases.status(settings.name).champion
            wanted += [each.name for each in (champion.inputs if champion else ()) if each.name not in wanted]
        known = {settings.entity: "entity_key", settings.timestamp: "event_time"}
        answered = answered.with_columns(pl.col(known[each]).alias(each) for each in wanted if each in known)
        others = [each for each in wanted if each not in answered.columns]
        if not others:
            return answered
        features = logged.features
        there = [each for each in others if each in features.columns]
        if not there:
            return answered
        return answered.join(
            features.select("prediction_id", *there), on="prediction_id", how="left", maintain_order="left"
        )


def _with_classes(answered: pl.DataFrame, outputs: pl.DataFrame) -> pl.DataFrame:
    """The number of the answered class as score, where the log has it as outputs."""
    if outputs.is_empty():
        return answered
    classes = predicted_classes(outputs).rename({"score": "·class"})
    joined = answered.join(classes, on=["prediction_id", "variant"], how="left", maintain_order="left")
    return joined.with_columns(score=pl.coalesce("·class", "score")).drop("·class")


def _inside(rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    return rows.filter(pl.col("event_time").is_between(window.start, window.end, closed="left"))
