"""The second copy of served features: computed again offline, as of the instant of each prediction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import MlwrightError
from mlwright.model.features import FeatureView
from mlwright.model.settings import EndpointSettings
from mlwright.platform.data import DataJourney
from mlwright.platform.parts import Parts
from mlwright.stages.features.join import point_in_time

_ROW = "__row"
_AT = "__at"
_SLACK = timedelta(hours=1)
"""How far beyond its newest row a data set is believed to be complete, where its values live so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """Features computed again, row by row; ``rows`` is False where the offline data do not reach.

    ``not_done`` says of each view that could not be computed why.
    """

    features: pl.DataFrame
    rows: NDArray[np.bool_]
    not_done: tuple[str, ...] = ()


def recompute(
    parts: Parts, data: DataJourney, settings: EndpointSettings, served: pl.DataFrame
) -> Recomputed | None:
    """Compute the endpoint's feature views again for what it served; None where nothing can be.

    Args:
        parts: the project.
        data: reads the views' data sets.
        settings: of the endpoint.
        served: ``entity_key``, ``event_time`` and the served features, as the log gives them.

    A row counts as computed while the offline data of a view reach its instant: what has not been written yet is no
    evidence that a served value is wrong.
    """
    views = [each for each in map(parts.settings.view, settings.features) if each is not None]
    computed: list[pl.DataFrame] = []
    reached = np.ones(served.height, dtype=np.bool_)
    not_done: list[str] = []
    for view in views:
        try:
            found = _one(data, settings, view, served)
        except MlwrightError as trouble:
            not_done.append(f"feature view {view.name}: {trouble.what}")
            continue
        if isinstance(found, str):
            not_done.append(f"feature view {view.name}: {found}")
            continue
        frame, within = found
        computed.append(frame)
        reached &= within
    if not computed:
        return None
    return Recomputed(features=pl.concat(computed, how="horizontal"), rows=reached, not_done=tuple(not_done))


def _one(
    data: DataJourney, settings: EndpointSettings, view: FeatureView, served: pl.DataFrame
) -> tuple[pl.DataFrame, NDArray[np.bool_]] | str:
    """A view's features row by row, and which rows its data reach; or why not."""
    values = data.load(view.dataset).frame
    keys: list[pl.Expr] = []
    for name in view.entity:
        source = name if name in served.columns else "entity_key" if name == settings.entity else None
        if source is None:
            return f"its entity {name!r} is not in the log"
        keys.append(pl.col(source).cast(values.schema[name], strict=False).alias(name))
    asked = served.select(*keys, pl.col("event_time").alias(_AT)).with_row_index(_ROW)
    known = asked.drop_nulls()
    joined = point_in_time(known, view, values, at=_AT).select(_ROW, *view.features)
    frame = asked.select(_ROW).join(joined, on=_ROW, how="left", maintain_order="left").drop(_ROW)
    newest = values[view.timestamp].max()
    reach = newest + min(view.ttl, _SLACK) if isinstance(newest, datetime) else None
    within = (served["event_time"] <= reach).fill_null(value=False).to_numpy()
    return frame, within & asked.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
