"""The journey of joint drift: what an endpoint was served, all columns together, beside its champion's held-out rows.

A classifier that tells served rows from held-out ones sees what no single column shows. It is context: it opens no
alert and starts nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import UsageError
from mlwright.model.ids import EndpointName
from mlwright.model.joint_drift import JointColumn, JointDrift
from mlwright.model.monitoring import Estimate
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window, day_start
from mlwright.platform.logged import Logged
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.same_rows import holdout_of
from mlwright.ports.learner import Learner
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.crossfit import ROWS
from mlwright.stages.monitoring.multivariate import FEW, MultivariateDrift, drifted
from mlwright.stages.serving.frames import stacked

_Integers = NDArray[np.int64]
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""Stretches of time are counted from here, so that those of seven days are weeks."""
_AT_ONCE: Final = 4
"""Stretches that one look compares, a second each; after a long absence the next looks go on."""
_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_INSTANT: Final = "an instant: time alone tells any two windows apart"
_UNREAD: Final = (
    "nothing in it is read: nested lists, bytes, or texts that do not come again and are no prose"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """The champion's held-out rows."""

    version: ModelVersion
    rows: pl.DataFrame
    window: Window
    inputs: tuple[str, ...]
    left_out: Mapping[str, str]


class JointDriftJourney:
    """Compares served rows with the champion's held-out ones by a classifier of both."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def kept(self, endpoint: str) -> tuple[JointDrift, ...]:
        """The comparisons that the loop made, oldest first."""
        with self._parts.read() as tx:
            return monitoring.list_joint_drift(tx, EndpointName(endpoint))

    def look(self, endpoint: str) -> tuple[JointDrift, ...]:
        """Compare each stretch of ``monitor.joint_every`` that has ended since the last look, once; keep the results.

        It waits for no label. Only what has rows enough on both sides is kept. At most four a call: the next goes on.
        """
        settings = self._parts.endpoint(endpoint)
        ended = self._ended(settings)
        if ended is None:
            return ()
        due = self._busy(settings, ended)
        reference = self._reference(settings)
        found: list[JointDrift] = []
        for window in due[:_AT_ONCE]:
            one = self._compared(settings, reference, window) if reference is not None else None
            with self._parts.write() as tx:
                if one is not None and not one.note:
                    monitoring.save_joint_drift(tx, one)
                    found.append(one)
                ledger.set_mark(tx, f"joint:{endpoint}", window.end.isoformat())
        if len(due) <= _AT_ONCE:
            with self._parts.write() as tx:
                ledger.set_mark(tx, f"joint:{endpoint}", ended.end.isoformat())
        return tuple(found)

    def compare(self, endpoint: str, window: Window | None = None) -> JointDrift:
        """Compare any window now, without keeping the result.

        Args:
            endpoint: whose served rows.
            window: of their event times; None: a stretch of ``monitor.joint_every`` (a week where that is off) up to
                now.

        Returns:
            With a note in place of the area where either side has too few rows or no column that is read.

        Raises:
            NotFound: there is no such endpoint.
            UsageError: it has no champion with held-out rows, or this platform was built without a learner.
        """
        settings = self._parts.endpoint(endpoint)
        reference = self._reference(settings)
        if reference is None:
            raise self._refusal(settings)
        now = self._parts.clock.now()
        span = settings.monitor.joint_every or _WEEK
        return self._compared(settings, reference, window or Window(start=now - span, end=now))

    def _ended(self, settings: EndpointSettings) -> Window | None:
        """The whole stretches that have ended since the last look; at the first one of an endpoint that nobody watches
        from its first day, the last stretch. None where none has.
        """
        every, through = settings.monitor.joint_every, day_start(self._parts.clock.now())
        if every is None or self._parts.learner is None:
            return None
        with self._parts.read() as tx:
            marks = [ledger.get_mark(tx, f"{kind}:{settings.name}") for kind in ("joint", "first-day")]
        since = next((datetime.fromisoformat(each) for each in marks if each), through - every)
        start, end = (_MONDAY + (at - _MONDAY) // every * every for at in (since, through))
        return Window(start=start, end=end) if start < end else None

    def _busy(self, settings: EndpointSettings, ended: Window) -> tuple[Window, ...]:
        """The stretches in which something was answered: years without any cost nothing."""
        every = settings.monitor.joint_every or _WEEK
        answered = Logged(self._parts.log, settings.name, ended).instants["event_time"]
        after = (answered - ended.start).dt.total_microseconds()
        places = (after // (every // timedelta(microseconds=1))).unique().sort().to_list()
        starts = [ended.start + place * every for place in places]
        return tuple(Window(start=start, end=start + every) for start in starts)

    def _learner(self) -> Learner:
        if self._parts.learner is None:
            raise UsageError("this platform was built without a learner", next_command="mlwright doctor")
        return self._parts.learner

    def _reference(self, settings: EndpointSettings) -> _Reference | None:
        """What the champion held out; None where it has nothing to compare with."""
        champion = self._releases.status(settings.name).champion
        if champion is None or champion.evaluation is None or champion.evaluation.holdout is None:
            return None
        rows = holdout_of(self._parts, champion)
        masked = {*settings.serving.record.mask, *settings.serving.record.leave_out}
        left_out: dict[str, str] = {}
        for name in (each.name for each in champion.inputs):
            if name in masked:
                left_out[name] = "it is masked or left out of the log"
            elif name not in rows.columns:
                left_out[name] = "it is not among the held-out rows"
            elif rows.schema[name] in (pl.Date, pl.Datetime):
                left_out[name] = _INSTANT
        return _Reference(
            version=champion,
            rows=rows,
            window=Window(start=champion.evaluation.start, end=champion.evaluation.end),
            inputs=tuple(each.name for each in champion.inputs if each.name not in left_out),
            left_out=left_out,
        )

    def _refusal(self, settings: EndpointSettings) -> UsageError:
        champion = self._releases.status(settings.name).champion
        if champion is None:
            return UsageError(
                f"no model stands behind endpoint {settings.name!r}",
                next_command=f"mlwright deploy {settings.name}",
            )
        return UsageError(
            f"{champion.ref} was registered without held-out rows, so there is nothing to compare with",
            where=f"endpoint {settings.name}",
            next_command="mlwright run PIPELINE, which holds rows out: evaluate(…) before register(…)",
        )

    def _compared(self, settings: EndpointSettings, reference: _Reference, window: Window) -> JointDrift:
        seed = self._parts.settings.seed
        served, count = self._served(settings.name, window, seed)
        unlogged = [name for name in reference.inputs if count and name not in served.columns]
        names = [name for name in reference.inputs if name not in unlogged]
        left_out = {**reference.left_out, **dict.fromkeys(unlogged, "it was not logged in this window")}
        plain = JointDrift(
            endpoint=EndpointName(settings.name),
            window=window,
            reference=reference.window,
            version=reference.version.ref,
            at=self._parts.clock.now(),
            rows=count,
            reference_rows=reference.rows.height,
            columns=_left_out(left_out),
            note=_too_few(count, reference.rows.height),
        )
        if plain.note:
            return plain
        held, unit = reference.rows, settings.monitor.cluster
        units = _units(held, settings, unit), _units(served, settings, unit, served=True)
        if units[0] is None or units[1] is None:
            unit = None
            units = _units(held, settings, None), _units(served, settings, None, served=True)
        found = drifted(
            held.select(names), served.select(names), self._learner(), seed, groups=_numbered(*units)
        )
        if found.auc is None and not found.columns:
            return replace(plain, taken=found.rows, note="no column of the champion's is read")
        return replace(
            plain,
            taken=found.rows,
            auc=_said(found.auc, found, unit),
            usual=self._usual(settings, reference, names, window.end - window.start),
            mmd=found.mmd,
            mmd_p=found.mmd_p,
            columns=_columns(found, names, left_out, unit),
        )

    def _usual(
        self, settings: EndpointSettings, reference: _Reference, names: Sequence[str], span: timedelta
    ) -> Estimate | None:
        """How well the end of the reference is told from what was before it; found once a champion and length."""
        for each in self.kept(settings.name):
            if each.version == reference.version.ref and each.window.end - each.window.start == span:
                return each.usual
        stamp = settings.timestamp
        if not isinstance(reference.rows.schema.get(stamp), pl.Datetime):
            return None
        rows = reference.rows.drop_nulls(stamp).sort(stamp)
        first, last = rows[stamp].min(), rows[stamp].max()
        if not isinstance(first, datetime) or not isinstance(last, datetime):
            return None
        late = pl.col(stamp) > last - min(span, (last - first) / 2)
        sides = rows.filter(~late), rows.filter(late)
        if min(each.height for each in sides) < FEW:
            return None
        unit = settings.monitor.cluster if settings.monitor.cluster in rows.columns else None
        units = _numbered(*(_units(each, settings, unit) for each in sides))
        before, after = (each.select(names) for each in sides)
        found = drifted(before, after, self._learner(), self._parts.settings.seed, groups=units)
        return _said(found.auc, found, unit)

    def _served(self, endpoint: str, window: Window, seed: int) -> tuple[pl.DataFrame, int]:
        """A sample of the features that were served, and how many rows there were; a day in memory at a time.

        By a digest of the prediction's id: which rows, and in which order, hangs neither on how the log was compacted
        nor on which process wrote them.
        """
        kept: list[pl.DataFrame] = []
        rows = 0
        for day in _days(window):
            frame = self._parts.log.features(day, endpoint=endpoint)
            rows += frame.height
            if frame.height:
                kept.append(_first(frame, seed))
        return (_first(stacked(kept), seed), rows) if kept else (pl.DataFrame(), 0)


def _days(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(day_start(start) + _DAY, window.end)
        yield Window(start=start, end=end)
        start = end


def _first(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    order = frame.select(place=pl.col("prediction_id").hash(seed), id="prediction_id")
    return frame[order.with_row_index("row").sort("place", "id").head(ROWS)["row"]]


def _units(
    rows: pl.DataFrame, settings: EndpointSettings, cluster: str | None, *, served: bool = False
) -> pl.Series | None:
    """What rows belong to, as text: the cluster of the settings, else the day (UTC); None where that is not known."""
    if cluster is not None:
        name = "entity_key" if served and cluster == settings.entity else cluster
        return rows[name].cast(pl.String, strict=False).fill_null("") if name in rows.columns else None
    stamp = "event_time" if served else settings.timestamp
    dtype = rows.schema.get(stamp)
    if not isinstance(dtype, pl.Datetime):
        return None
    at = rows[stamp] if dtype.time_zone is None else rows[stamp].dt.convert_time_zone("UTC")
    return at.dt.date().cast(pl.String).fill_null("")


def _numbered(first: pl.Series | None, second: pl.Series | None) -> tuple[_Integers, _Integers] | None:
    """The units of both sides in one numbering."""
    if first is None or second is None:
        return None
    numbers = pl.concat([first.alias("unit"), second.alias("unit")]).rank("dense").cast(pl.Int64).to_numpy()
    return numbers[: len(first)], numbers[len(first) :]


def _too_few(served: int, held: int) -> str:
    if served < FEW:
        return f"{served:,} rows were served in the window, and {FEW} are needed"
    return f"the champion held out {held:,} rows, and {FEW} are needed" if held < FEW else ""


def _said(area: Estimate | None, found: MultivariateDrift, unit: str | None) -> Estimate | None:
    """The area with what its interval takes as independent, in words of the project."""
    if area is None:
        return None
    words = "rows are independent"
    if found.grouped:
        words = f"values of {unit} are independent" if unit else "days are independent"
        words += "; rows of one need not be"
    return replace(area, assumption=words)


def _columns(
    found: MultivariateDrift, names: Sequence[str], left_out: Mapping[str, str], unit: str | None
) -> tuple[JointColumn, ...]:
    ranked = dict(found.importance)
    unread = {name: _UNREAD for name in names if name not in ranked and name not in found.columns}
    alone = sorted(found.columns.items(), key=lambda each: -each[1].value)
    return (
        *(JointColumn(column=name, importance=lost) for name, lost in ranked.items()),
        *(JointColumn(column=name, alone=_said(area, found, unit)) for name, area in alone),
        *_left_out({**unread, **left_out}),
    )


def _left_out(why: Mapping[str, str]) -> tuple[JointColumn, ...]:
    return tuple(JointColumn(column=name, left_out=text) for name, text in why.items())
