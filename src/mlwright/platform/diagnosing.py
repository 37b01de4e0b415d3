"""The journey from "it got worse" to a cause: what is known of an endpoint becomes a case, and the chain judges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import polars as pl

from mlwright.errors import DataError, UsageError
from mlwright.model.diagnosis import Diagnosis, Happening
from mlwright.model.durations import format_duration
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Decision
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window
from mlwright.platform.data import DataJourney
from mlwright.platform.parts import Parts
from mlwright.platform.recomputing import Recomputed, recompute
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.same_rows import holdout_of
from mlwright.platform.suspecting import changes_of
from mlwright.ports.learner import Learner
from mlwright.ports.runtimes import scores_of
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Scorer, Task
from mlwright.stages.monitoring.labels import join_labels

if TYPE_CHECKING:
    from mlwright.stages.monitoring.diagnosis.chain import Progress

KIND: Final = "diagnosis"
"""Of the decisions that a diagnosis is kept as."""
MOST: Final = 100_000
"""Served rows that are looked at; of more, every n-th."""
_TASKS: Final = {"binary": Task.BINARY, "regression": Task.REGRESSION, "classes": Task.CLASSES}
_LABEL, _SCORE, _AT, _KEY = "__label", "__score", "__at", "__key"
_LABEL_AT, _VERSION = "__label_at", "__version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A diagnosis that was made, when, and under which id it is kept."""

    id: str
    at: datetime
    endpoint: str
    diagnosis: Diagnosis


class DiagnoseJourney:
    """Finds out why quality fell, and keeps what it found."""

    def __init__(self, parts: Parts, releases: ReleaseJourney, data: DataJourney) -> None:
        self._parts = parts
        self._releases = releases
        self._data = data

    def diagnose(
        self,
        endpoint: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        happenings: Sequence[Happening] = (),
        keep: bool = True,
        progress: "Progress | None" = None,
    ) -> Kept:
        """Say why the endpoint's quality fell, if it did.

        The reference are the rows that the champion held out at its release, with its recipe's scores; the current rows
        are those that it answered in the window and whose labels have matured.

        Args:
            endpoint: whose quality.
            since: the start of the current window; None: that of the open alert about quality, else the monitor's
                window.
            until: its end; None: the last instant whose labels have matured.
            happenings: what is known to have been changed, besides what the ledger says.
            keep: whether it is written into the ledger; a question that only looks leaves it out.
            progress: told each link of the chain.

        Raises:
            NotFound: there is no such endpoint.
            SettingsError: it has no label.
            UsageError: it has no champion with held-out rows, or ranks; nothing can be compared.
            DataError: nothing was answered in the window, or no label has come.
        """
        settings = self._parts.endpoint(endpoint)
        task = _TASKS.get(settings.monitor.task)
        if task is None:
            raise UsageError(
                f"endpoint {endpoint!r} ranks, and the chain is for answers that are right or wrong one by one",
                next_command=f"mlwright monitor {endpoint} --slices",
            )
        champion = self._champion(settings)
        now = self._parts.clock.now()
        window = self._window(settings, since, until, now)
        case = self._case(settings, champion, window, tuple(happenings), now, task)
        from mlwright.stages.monitoring.diagnosis.chain import diagnose  # 70 modules that few commands need

        found = diagnose(case, self._learner(), progress=progress)
        if not keep:
            return Kept(id="", at=now, endpoint=endpoint, diagnosis=found)
        return self._keep(endpoint, found, window, champion)

    def diagnoses(self, endpoint: str | None = None, *, limit: int = 20) -> tuple[Kept, ...]:
        """Those that were made, the latest first."""
        with self._parts.read() as tx:
            book = ledger.list_decisions(tx, subject=endpoint, kind=KIND, limit=limit)
        return tuple(map(_kept, book))

    def _learner(self) -> Learner:
        if self._parts.learner is None:
            raise UsageError("this platform was built without a learner", next_command="mlwright doctor")
        return self._parts.learner

    def _champion(self, settings: EndpointSettings) -> ModelVersion:
        champion = self._releases.status(settings.name).champion
        if champion is None:
            raise UsageError(
                f"no model stands behind endpoint {settings.name!r}",
                next_command=f"mlwright deploy {settings.name}",
            )
        if champion.evaluation is None or champion.evaluation.holdout is None:
            raise UsageError(
                f"{champion.ref} was registered without held-out rows, so there is nothing to compare with",
                where=f"endpoint {settings.name}",
                next_command="mlwright diagnose --reference ref.parquet --current cur.parquet --target y --score p",
            )
        return champion

    def _window(
        self, settings: EndpointSettings, since: datetime | None, until: datetime | None, now: datetime
    ) -> Window:
        end = min(until or now, now - settings.truth.horizon)
        start = since
        if start is None:
            with self._parts.read() as tx:
                open_alerts = monitoring.firing(tx, EndpointName(settings.name))
            said = next(
                (each.evidence.get("window") for each in open_alerts if each.rule == settings.monitor.metric),
                None,
            )
            start = datetime.fromisoformat(str(said[0])) if isinstance(said, list) and said else None
        start = start or end - settings.monitor.window
        if until is not None and start >= until:
            raise UsageError(
                f"the window begins at {start:%Y-%m-%d %H:%M} UTC and ends at {until:%Y-%m-%d %H:%M} UTC, not later",
                where=f"endpoint {settings.name}",
                next_command=f"mlwright diagnose {settings.name} --since {until - settings.monitor.window:%Y-%m-%d} "
                f"--until {until:%Y-%m-%dT%H:%M}",
            )
        if start >= end:
            raise UsageError(
                f"the window begins at {start:%Y-%m-%d %H:%M} UTC and its labels have matured until "
                f"{end:%Y-%m-%d %H:%M} UTC only",
                where=f"endpoint {settings.name}, label.horizon {format_duration(settings.truth.horizon)}",
                next_command=f"mlwright diagnose {settings.name} --since {end - settings.monitor.window:%Y-%m-%d}",
            )
        return Window(start=start, end=end)

    def _case(
        self,
        settings: EndpointSettings,
        champion: ModelVersion,
        window: Window,
        happenings: tuple[Happening, ...],
        now: datetime,
        task: Task,
    ) -> Case:
        served = self._served(settings, window, now)
        names = [each.name for each in champion.inputs]
        reference = holdout_of(self._parts, champion)
        names = [name for name in names if name in reference.columns and name in served.columns]
        again = recompute(self._parts, self._data, settings, served)
        with self._parts.read() as tx:
            changes = changes_of(
                tx, EndpointName(settings.name), window.start - timedelta(days=30), window.end
            )
        from mlwright.stages.monitoring.diagnosis.table import case_of

        return case_of(
            _reference_of(reference, names, settings),
            served.select(*names, _LABEL, _SCORE, _AT, _KEY, _LABEL_AT, _VERSION),
            target=_LABEL,
            score=_SCORE,
            time=_AT,
            cluster=_KEY if settings.keyed else None,
            recomputed=_copy(served, names, again),
            task=task,
            label_time=_LABEL_AT,
            version=_VERSION,
            model=self._scorer(champion, served, names),
            model_known=True,
            happenings=(*happenings, *changes),
            horizon=settings.truth.horizon,
            now=now,
            subject=f"endpoint {settings.name}",
            threshold=settings.monitor.threshold,
            seed=self._parts.settings.seed,
        )

    def _served(self, settings: EndpointSettings, window: Window, now: datetime) -> pl.DataFrame:
        log = self._parts.log
        answered = log.predictions(window, served_only=True, endpoint=settings.name)
        if answered.height > MOST:
            answered = answered.gather_every(-(-answered.height // MOST))
        ripe = Window(start=window.start, end=max(now, window.end) + timedelta(days=1))
        joined = join_labels(answered, log.labels(ripe, endpoint=settings.name))
        if joined.is_empty() or joined["label"].null_count() == joined.height:
            what = "no label has come for what was answered" if joined.height else "nothing was answered"
            raise DataError(
                f"{what} in {window}",
                where=f"endpoint {settings.name}",
                next_command=f"mlwright monitor {settings.name} --update",
            )
        features = log.features(window, endpoint=settings.name).drop("entity_key", "event_time")
        features = features.unique("prediction_id", keep="last")
        return joined.with_columns(
            pl.col("label").alias(_LABEL),
            pl.col("score").alias(_SCORE),
            pl.col("event_time").alias(_AT),
            pl.col("entity_key").alias(_KEY),
            pl.col("observed_at").alias(_LABEL_AT),
            pl.col("model_version").alias(_VERSION),
        ).join(features, on="prediction_id", how="inner", maintain_order="left", suffix="__served")

    def _scorer(self, champion: ModelVersion, served: pl.DataFrame, names: Sequence[str]) -> Scorer | None:
        """The champion, where it answered all of it and takes no more than what was logged."""
        wanted = [each.name for each in champion.inputs]
        if list(names) != wanted or set(served[_VERSION].unique()) - {champion.ref, str(champion.version)}:
            return None
        model = self._releases.load(champion)

        def score(features: pl.DataFrame) -> Floats:
            return np.asarray(
                scores_of(model, features.select(wanted).to_dict(as_series=False)), dtype=np.float64
            )

        return score

    def _keep(self, endpoint: str, found: Diagnosis, window: Window, champion: ModelVersion) -> Kept:
        plain = msgspec.to_builtins(found)
        with self._parts.write() as tx:
            decision = self._parts.decide(
                tx,
                KIND,
                endpoint,
                f"{found.verdict} ({found.sureness})",
                (found.summary,),
                {
                    "diagnosis": plain,
                    "window": [window.start.isoformat(), window.end.isoformat()],
                    "champion": champion.ref,
                },
            )
        return Kept(id=decision.id, at=decision.at, endpoint=endpoint, diagnosis=found)


def diagnose_tables(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    learner: Learner,
    *,
    progress: "Progress | None" = None,
    **about: object,
) -> Diagnosis:
    """Judge two tables of somebody's own, without a project; nothing is kept.

    Args:
        reference: rows with labels from when the model was good, not those that it was trained on.
        current: rows as served.
        learner: fits the small models.
        progress: told each link of the chain.
        about: which column is what; see ``case_of``.

    Raises:
        DataError: with everything that is wrong with the tables.
    """
    task = about.pop("task", None)
    from mlwright.stages.monitoring.diagnosis.chain import diagnose
    from mlwright.stages.monitoring.diagnosis.table import case_of

    case = case_of(reference, current, task=_TASKS[str(task)] if task else None, **about)  # type: ignore[arg-type]
    return diagnose(case, learner, progress=progress)


def _kept(decision: Decision) -> Kept:
    found = msgspec.convert(decision.evidence["diagnosis"], Diagnosis, strict=False)
    return Kept(id=decision.id, at=decision.at, endpoint=decision.subject, diagnosis=found)


def _reference_of(frame: pl.DataFrame, names: Sequence[str], settings: EndpointSettings) -> pl.DataFrame:
    lacking = pl.lit(None)
    return frame.filter(pl.col(settings.truth.column).is_not_null()).select(
        *names,
        pl.col(settings.truth.column).cast(pl.Float64).alias(_LABEL),
        pl.col("score").cast(pl.Float64).alias(_SCORE),
        pl.col(settings.timestamp).alias(_AT) if settings.timestamp in frame.columns else lacking.alias(_AT),
        pl.col(settings.entity).cast(pl.String).alias(_KEY)
        if settings.entity in frame.columns
        else lacking.cast(pl.String).alias(_KEY),
    )


def _copy(served: pl.DataFrame, names: Sequence[str], again: Recomputed | None) -> pl.DataFrame | None:
    """The second copy, row by row: what was computed again, and of the rest what was served."""
    if again is None:
        return None
    computed = [name for name in again.features.columns if name in names]
    if not computed or not again.rows.any():
        return None
    reached = pl.Series(again.rows)
    return served.select(names).with_columns(
        **{
            name: pl.when(reached)
            .then(again.features[name].cast(served.schema[name], strict=False))
            .otherwise(served[name])
            for name in computed
        }
    )
