"""From a data set to what serving looks up: rows for the online store."""

import numpy as np
import polars as pl

from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows
from mlwright.stages.features.checks import key_codes, require_view, time_unit
from mlwright.stages.features.join import best_last, observed


def to_feature_rows(view: FeatureView, values: pl.DataFrame) -> FeatureRows:
    """The view's values as an online store takes them.

    Keys are text (as polars writes the value: ``7``, ``true``, ``2013-04-01``). Rows whose key has a null
    are left out: nothing can ask for them. Rows are in the order (key, observed, created), so that of two
    with one key and instant the later created is written last and wins. Nanoseconds are rounded up: a value
    is never there too early.

    Args:
        view: which columns.
        values: the view's data set; instants are aware, of any zone.

    Raises:
        DataError: a column is missing or naive, an observation has no instant, or two values contradict
            each other.
    """
    ordered = _ordered(view, values)
    unit = time_unit([ordered[view.timestamp]])
    seen, _ = observed(view, ordered, unit)
    micros = -(-seen // 1000) if unit == "ns" else seen
    keys = ordered.select(pl.col(name).cast(pl.String) for name in view.entity)
    return FeatureRows(
        keys=keys.rows() if view.entity else [()] * len(ordered),
        times=micros.tolist(),
        columns={name: ordered[name].to_list() for name in view.features},
    )


def _ordered(view: FeatureView, values: pl.DataFrame) -> pl.DataFrame:
    require_view(view, values)
    created = () if view.created is None else (view.created,)
    kept = values.select(*view.entity, view.timestamp, *created, *view.features)
    kept = kept.filter(*(pl.col(name).is_not_null() for name in view.entity))
    stamps = [kept[name] for name in (view.timestamp, *created)]
    seen, known = observed(view, kept, time_unit(stamps))
    codes, _ = key_codes(kept, kept.clear(), view.entity, where=f"feature view {view.name!r}")
    return kept[np.asarray(best_last(view, kept, codes, seen, known))]
