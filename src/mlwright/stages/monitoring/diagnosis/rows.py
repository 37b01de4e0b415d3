"""Some rows of a case, and all of them in an order that does not depend on how they came."""

from dataclasses import fields, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Case, Sample

Rows = NDArray[np.bool_] | NDArray[np.intp]


def taken(side: Sample, rows: Rows) -> Sample:
    """Some rows of a side, by mask or by index."""
    places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    arrays = {
        each.name: getattr(side, each.name)[places]
        for each in fields(side)
        if each.name != "features" and getattr(side, each.name) is not None
    }
    return replace(side, features=side.features[places], **arrays)


def current_rows(case: Case, rows: Rows) -> Case:
    """The case with some of its current rows, by mask or by index; their second copy follows."""
    places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    return replace(
        case,
        current=taken(case.current, places),
        recomputed=None if case.recomputed is None else case.recomputed[places],
        recomputed_rows=None if case.recomputed_rows is None else case.recomputed_rows[places],
    )


def canonical(case: Case) -> Case:
    """The case with the rows of both sides in an order that only their content decides.

    Equal rows may change places; nothing can tell them apart.
    """
    case = replace(case, reference=taken(case.reference, _order(case.reference, None, None)))
    return current_rows(case, _order(case.current, case.recomputed, case.recomputed_rows))


def _order(side: Sample, copy: pl.DataFrame | None, copied: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    keys = [
        pl.Series(each.name, getattr(side, each.name))
        for each in fields(side)
        if each.name != "features" and getattr(side, each.name) is not None
    ]
    # those that tell most rows apart come first, so that the rest is seldom looked at
    keys.sort(key=lambda key: key.name not in ("at", "score"))
    keys += [_sortable(column, f"feature {place}") for place, column in enumerate(side.features)]
    if copy is not None:
        keys += [_sortable(column, f"copy {place}") for place, column in enumerate(copy)]
    if copied is not None:
        keys.append(pl.Series("copied", copied))
    found = pl.DataFrame(keys).with_row_index("row").sort(*(key.name for key in keys), maintain_order=True)
    return found["row"].to_numpy().astype(np.intp)


def _sortable(column: pl.Series, name: str) -> pl.Series:
    if column.dtype.is_nested() or column.dtype == pl.Object:
        return pl.Series(name, [repr(each) for each in column.to_list()])
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String).alias(name)
    return column.alias(name)
