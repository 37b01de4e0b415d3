"""Numbers as text that Prometheus reads.

Standards: OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics) for those who accept it, else Prometheus's text
format 0.0.4; they differ in how the types of counters and infos are written, and in how the text ends.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import inf, isnan
from typing import Final

from mlwright.stages.serving.slots import Series

_OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without ``_total`` or ``_info``, its kind, and what it is."""

    name: str
    kind: str
    """``counter``, ``gauge``, ``histogram`` or ``info``."""
    text: str
    shown: bool = True
    """Whether a value of 0 is shown."""


def exposition(
    samples: Iterable[tuple[Series, list[float]]], families: Iterable[Family], accept: str
) -> tuple[str, str]:
    """Series and their values as text, in the form that the Accept header asks for, and its content type.

    What is in no family is left out; series of one name and the same labels are added.
    """
    opened = _OPENMETRICS in accept
    lines: list[str] = []
    for family, shown in by_family(samples, families):
        lines += _family(family, shown, opened=opened)
    if opened:
        text = "\n".join([*lines, "# EOF", ""])
        return text, f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"
    return "\n".join([*lines, ""]), "text/plain; version=0.0.4; charset=utf-8"


def by_family(
    samples: Iterable[tuple[Series, list[float]]], families: Iterable[Family]
) -> Iterator[tuple[Family, list[tuple[Series, list[float]]]]]:
    """The families that something is known of, each with the series that are shown, in the order of their labels.

    Series of one name and the same labels are added.
    """
    by_name: dict[str, dict[Series, list[float]]] = {}
    for series, values in samples:
        same = by_name.setdefault(series.name, {})
        before = same.get(series)
        same[series] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
    for family in families:
        known = by_name.get(f"{family.name}_info" if family.kind == "info" else family.name, {})
        shown = [(each, values) for each, values in known.items() if family.shown or values[0]]
        if shown:
            yield family, sorted(shown, key=lambda found: found[0].labels)


def _family(family: Family, shown: Iterable[tuple[Series, list[float]]], *, opened: bool) -> Iterator[str]:
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    headed = family.name if opened else family.name + suffix
    kind = "gauge" if family.kind == "info" and not opened else family.kind
    yield f"# HELP {headed} {family.text}"
    yield f"# TYPE {headed} {kind}"
    for each, values in shown:
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in each.labels)
        if family.kind == "histogram":
            yield from _histogram(family.name, labels, each.bounds, values)
        else:
            marked = f"{{{labels}}}" if labels else ""
            yield f"{family.name}{suffix}{marked} {_number(values[0])}"


def _histogram(name: str, labels: str, bounds: tuple[float, ...], values: list[float]) -> Iterator[str]:
    counts = list(accumulate(int(each) for each in values[:-1]))
    before = f"{labels}," if labels else ""
    for bound, count in zip([*map(float, bounds), "+Inf"], counts, strict=True):
        yield f'{name}_bucket{{{before}le="{bound}"}} {count}'
    yield f"{name}_sum{{{labels}}} {values[-1]:.9g}"
    yield f"{name}_count{{{labels}}} {counts[-1]}"


def _number(value: float) -> str:
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
