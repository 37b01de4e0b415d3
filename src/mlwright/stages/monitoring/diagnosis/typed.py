"""Types: values that are right and are written otherwise, and digits that were lost on the way."""

from collections.abc import Callable, Iterator
from itertools import product
from math import log
from typing import Final

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Rows, as_type
from mlwright.stages.monitoring.diagnosis.standing import distance
from mlwright.stages.monitoring.encoding import Kind, kind_of, numbers, texts_of

_EPOCHS: Final = {1.0: "microseconds", 1e3: "milliseconds", 1e6: "seconds", 86_400e6: "days"}
_YES: Final = ("true", "t", "yes", "y", "on", "1", "1.0")
_NO: Final = ("false", "f", "no", "n", "off", "0", "0.0")
_DATES: Final = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d-%m-%Y")
STEPS: Final = (1000.0, 100.0, 60.0, 50.0, 30.0, 20.0, 15.0, 10.0, 5.0, 1.0, 0.1, 0.01, 0.001, 1e-4)
ROUNDING: Final[tuple[tuple[str, Callable[[Floats], Floats]], ...]] = (
    ("rounded", np.round),
    ("cut", np.trunc),
    ("rounded down", np.floor),
)
_COMPARED: Final = 20_000


def other_type(column: Column) -> Fault | None:
    """Served in a type that the reference is not: text for numbers or instants, numbers for text or instants."""
    kind = kind_of(column.new.dtype)
    if kind is column.kind or kind is Kind.OTHER:
        return None
    found = read_as(column.new, column.old)
    if found is None:
        return None
    undone, how = found
    touched: Rows = column.new.is_not_null().to_numpy()
    if touched.sum() == 0:
        return None
    good = undone.is_not_null()
    if column.kind is Kind.LEVELS:
        known = texts_of(column.old).drop_nulls().unique()
        good = texts_of(undone).is_in(known.to_list()).fill_null(value=False)
    read = float((good.to_numpy() & touched).sum() / touched.sum())
    return Fault(
        column=column.name,
        mechanism="type",
        text=f"served as {column.new.dtype}, was {column.old.dtype}; {read:.1%} of it can be read as {how}",
        touched=touched,
        undone=undone if read >= 0.5 else None,
        lost=read < 0.5,
    )


def read_as(served: pl.Series, like: pl.Series) -> tuple[pl.Series, str] | None:
    """A column in the type of another that it should have, and what it is read as; None where there is no way.

    Of several ways to read a text (a comma for thousands or for a decimal mark, the day or the month first) the one is
    taken whose values are most like those of ``like``. What cannot be read is null.
    """
    kind, wanted = kind_of(served.dtype), kind_of(like.dtype)
    if Kind.OTHER in (kind, wanted):
        return None
    if wanted is Kind.LEVELS:
        return texts_of(served).cast(like.dtype, strict=False).alias(like.name), "levels"
    if kind is not Kind.LEVELS:
        direction = float(wanted is Kind.INSTANT) - float(kind is Kind.INSTANT)
        values, how = _epoch(numbers(served), direction, like) if direction else (numbers(served), "numbers")
        return as_type(values, like), how
    text = served.cast(pl.String).str.strip_chars()
    words = _words(text, like) if wanted is Kind.NUMBER else None
    readings = _dates(text) if wanted is Kind.INSTANT else _figures(text)
    how = "instants" if wanted is Kind.INSTANT else "numbers"
    return as_type(_nearest(readings, like) if words is None else words, like), how


def coarse(column: Column) -> Fault | None:
    """Fewer digits than there were: rounded or cut, to decimals, to whole numbers or to steps such as tens.

    What was cut off is lost. What that costs is seen on the reference, cut alike.
    """
    if column.kind is not Kind.NUMBER or column.old.dtype == pl.Boolean:
        return None
    old, new = column.sampled()
    if len(old) < 200 or len(new) < 200 or new[0] == new[-1] or len(np.unique(old)) < 20:
        return None
    step = next((each for each in steps(new) if _on_grid(new, each) >= 0.9999), None)
    if step is None or (before := _on_grid(old, step)) >= 0.5:
        return None
    alike = [(distance(new, by(old / step) * step), name, by) for name, by in ROUNDING]
    _, name, by = min(alike, key=lambda each: each[0])
    return Fault(
        column=column.name,
        mechanism="type",
        text=f"{name} to {grid(step)}, was so in {before:.0%} of rows",
        touched=np.isfinite(column.now),
        imitated=as_type(by(column.before / step) * step, column.old),
    )


def steps(values: Floats) -> tuple[float, ...]:
    """Steps that values may have been cut to, largest first: their smallest gap, which no step can exceed, and usual
    ones."""
    gaps = np.diff(np.unique(values))
    least = float(f"{gaps.min():.6g}") if len(gaps) else 0.0
    return (least, *(each for each in STEPS if each < least)) if least > 0 else STEPS


def grid(step: float) -> str:
    """How a step is called."""
    return (
        f"{round(-np.log10(step))} decimals"
        if step in (1.0, 0.1, 0.01, 0.001, 1e-4)
        else f"steps of {step:g}"
    )


def _on_grid(values: Floats, step: float) -> float:
    scaled = values / step
    return float(np.mean(np.abs(scaled - np.round(scaled)) <= 1e-6 * np.maximum(np.abs(scaled), 1.0)))


def _words(text: pl.Series, like: pl.Series) -> Floats | None:
    """A flag as words; None where it is no flag, or the text no such words."""
    known = numbers(like)
    if not np.isin(known[np.isfinite(known)], (0.0, 1.0)).all():
        return None
    plain = text.str.to_lowercase()
    yes, no = (plain.is_in(list(words)).fill_null(value=False).to_numpy() for words in (_YES, _NO))
    if (yes | no).sum() < 0.5 * max(int(text.is_not_null().sum()), 1):
        return None
    return np.where(yes, 1.0, np.where(no, 0.0, np.nan))


def _figures(text: pl.Series) -> Iterator[Floats]:
    """Text as numbers, by each meaning that marks before three digits can have; as decimal marks first."""
    text = text.str.replace("−", "-", literal=True).str.replace_all("[\u00a0\u202f '’]", "")
    plain = numbers(text)
    by_comma = numbers(text.str.replace_all(",", "", literal=True))
    by_point = numbers(text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))

    def shaped(pattern: str) -> Rows:
        found: Rows = text.str.contains(pattern).fill_null(value=False).to_numpy()
        return found

    decimal = shaped(r"^[+-]?\d+,\d+$")
    commas = shaped(r"^[+-]?\d{1,3}(,\d{3})+\.\d*$") | shaped(r"^[+-]?\d{1,3}(,\d{3}){2,}$")
    points = shaped(r"^[+-]?\d{1,3}(\.\d{3})+,\d*$") | shaped(r"^[+-]?\d{1,3}(\.\d{3}){2,}$")
    comma, point = shaped(r"^[+-]?\d{1,3},\d{3}$"), shaped(r"^[+-]?\d{1,3}\.\d{3}$")
    for comma_groups, point_groups in product((False, True), repeat=2):
        if (comma_groups and not comma.any()) or (point_groups and not point.any()):
            continue
        grouped = commas | (comma & comma_groups)
        turned = points | (decimal & ~grouped) | (point & point_groups)
        yield np.where(grouped, by_comma, np.where(turned, by_point, plain))


def _dates(text: pl.Series) -> Iterator[Floats]:
    """Text as instants, µs since 1970: ISO 8601, then the usual forms of dates."""
    iso = text.str.replace(r"(Z|[+-]00:?00)$", "")
    yield numbers(iso.str.to_datetime(time_unit="us", strict=False))
    for form in _DATES:
        yield numbers(text.str.to_date(form, strict=False))


def _nearest(readings: Iterator[Floats], like: pl.Series) -> Floats:
    """The reading that has the most values, and of those the one whose values are most like the known ones."""
    known = numbers(like[:_COMPARED])
    known = np.sort(known[np.isfinite(known)])

    def fit(values: Floats) -> tuple[float, float]:
        read = values[np.isfinite(values)]
        share = len(read) / max(len(values), 1)
        return round(share, 2), -distance(known, read[:_COMPARED]) if len(known) and len(read) else -1.0

    return max(readings, key=fit)


def _epoch(values: Floats, direction: float, like: pl.Series) -> tuple[Floats, str]:
    """Counts since 1970 as instants in µs (``direction`` 1), or those as counts (−1), in the unit that fits best."""
    known = numbers(like)
    middle, typical = (
        float(np.nanmedian(each)) if np.isfinite(each).any() else 0.0 for each in (known, values)
    )
    if middle <= 0 or typical <= 0:
        return values, "microseconds since 1970"
    scale = min(_EPOCHS, key=lambda each: abs(log(typical * each**direction / middle)))
    return values * scale**direction, f"{_EPOCHS[scale]} since 1970"
