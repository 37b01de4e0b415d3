"""What a model shows on the rows that it held out: all metrics of its endpoint's task."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import DataError
from mlwright.model.settings import EndpointSettings
from mlwright.stages.monitoring.clusters import Clusters
from mlwright.stages.monitoring.metrics import Labelled, measure

_Floats = NDArray[np.float64]


def held_out_metrics(
    labels: _Floats, scores: _Floats, rows: pl.DataFrame, settings: EndpointSettings
) -> dict[str, float]:
    """The metrics of the endpoint's task on held-out rows, by name.

    Args:
        labels: shape (n,); rows without a label are left out.
        scores: shape (n,), what the model said.
        rows: the rows themselves, for the groups of a ranking and the days that are not independent.
        settings: of the endpoint.

    Raises:
        DataError: no row has a label, or yes-or-no labels are of one class only.
    """
    monitor = settings.monitor
    known = np.isfinite(labels) & np.isfinite(scores)
    groups = _groups(rows, settings)
    measured = measure(
        Labelled(
            labels=labels[known],
            scores=scores[known],
            weights=np.ones(int(known.sum())),
            clusters=Clusters.of(rows[settings.timestamp].dt.epoch("d").to_numpy()[known], "day"),
            groups=None if groups is None else groups[known],
        ),
        task=monitor.task,
        metric=monitor.metric,
        threshold=monitor.threshold,
        level=0.95,
    )
    if monitor.metric not in measured:
        why = "have labels of one class only" if monitor.task == "binary" else f"do not give {monitor.metric}"
        raise DataError(f"the held-out rows {why}", where=settings.truth.column)
    return {name: each.value for name, each in measured.items()}


def _groups(rows: pl.DataFrame, settings: EndpointSettings) -> NDArray[np.intp] | None:
    name = settings.monitor.group
    if settings.monitor.task != "ranking" or name is None:
        return None
    if name not in rows.columns:
        raise DataError(
            f"the held-out rows have no column {name!r}, within which answers are ranked",
            where=f"[[endpoint]] {settings.name}, monitor.group",
        )
    return np.unique(rows[name].cast(pl.String).fill_null("").to_numpy(), return_inverse=True)[1].astype(
        np.intp
    )
