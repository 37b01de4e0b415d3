"""How realised quality is drawn for people, and written as a table of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.files import writing
from mlwright.doors.cli.show import pairs, table
from mlwright.errors import UsageError
from mlwright.model.checking import DataQuality
from mlwright.model.joint_drift import JointDrift
from mlwright.model.monitoring import DriftReport, Estimate, MaturityCurve, Performance, Worth
from mlwright.model.part_drift import DriftByPart

_MAIN: Final = {
    "binary": ("auc", "brier", "accuracy"),
    "classes": ("accuracy", "macro_f1"),
    "regression": ("mae", "rmse", "bias"),
    "ranking": ("ndcg@10", "mrr", "hit@10"),
}
_WORDS: Final = {"auc": "AUC", "brier": "Brier", "mae": "MAE", "rmse": "RMSE", "mse": "MSE", "r2": "R²"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """What ``monitor`` shows. All but ``performance`` is there where it was asked for, or there is any.

    ``young`` are days whose labels are not due yet, ``verdict`` what the rule about decay says now.
    """

    performance: tuple[Performance, ...]
    young: tuple[Performance, ...] = ()
    slices: tuple[Performance, ...] = ()
    maturity: MaturityCurve | None = None
    verdict: str | None = None
    drift: tuple[DriftReport, ...] = ()
    drift_by_part: DriftByPart | None = None
    joint: tuple[JointDrift, ...] | None = None
    data: DataQuality | None = None
    metric: str | None = "auc"
    """None: it has no label."""


def monitored(found: Monitored) -> RenderableType:
    """Windows with their main metrics, the latest one in full, and what is not ripe yet."""
    if found.metric is None:
        return Text("it has no label: nothing is known of its quality")
    shown: list[RenderableType] = [
        _windows(
            (*found.performance, *found.young),
            found.metric,
            empty="no window has matured yet; next: mlwright monitor ENDPOINT --update",
        )
    ]
    unripe = [each for each in (*found.performance, *found.young) if not each.matured]
    if unripe:
        shown.append(_young(unripe[-1], found.maturity))
    if found.performance and found.performance[-1].metrics:
        shown.append(_whole(found.performance[-1]))
    if found.slices:
        shown.append(_windows(found.slices, found.metric, title="slices and variants"))
    if found.verdict:
        shown.append(pairs({"by the rule of the alerts": found.verdict}))
    return Group(*shown)


def write_rows(found: Sequence[Performance], target: Path) -> int:
    """Write one row for each metric of each window and part; returns how many.

    Raises:
        UsageError: the file is neither CSV nor Parquet, or cannot be written.
    """
    if target.suffix not in (".csv", ".parquet"):
        raise UsageError(
            f"--export writes .csv or .parquet, not {target.suffix or 'a file without an ending'}",
            where=str(target),
            next_command="mlwright monitor --help",
        )
    import polars as pl  # 0.1 s that only an export needs

    rows = list(chain.from_iterable(map(_rows, found)))
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_columns(
        pl.col("from", "to").cast(pl.Datetime("us", "UTC")),
        pl.col("value", "lower", "upper").cast(pl.Float64),
    )
    with writing(target):
        if target.suffix == ".csv":
            frame.write_csv(target, datetime_format="%Y-%m-%dT%H:%M:%SZ")
        else:
            frame.write_parquet(target)
    return frame.height


_SCHEMA: Final = [
    "endpoint",
    "from",
    "to",
    "part",
    "matured",
    "predictions",
    "labelled",
    "kind",
    "metric",
    "value",
    "lower",
    "upper",
    "level",
    "assumption",
]


def _rows(each: Performance) -> Iterator[tuple[object, ...]]:
    where = (each.endpoint, each.window.start, each.window.end, each.part, each.matured)
    about = (*where, each.predictions, each.labelled)
    for kind, measured in (("realised", each.metrics), ("expected", each.expected)):
        for name, one in measured.items():
            yield (*about, kind, name, one.value, one.lower, one.upper, one.level, one.assumption)
    if each.worth:
        for name, one in (("total", each.worth.total), ("per_prediction", each.worth.per_prediction)):
            said = f"{each.worth.currency}; {one.assumption}"
            yield (*about, "worth", name, one.value, one.lower, one.upper, one.level, said)
    if each.calibration:
        numbers = {name: getattr(each.calibration, name) for name in ("error", "slope", "intercept")}
        for name, value in numbers.items():
            yield (*about, "calibration", name, value, None, None, None, "")


def _windows(
    windows: Sequence[Performance], metric: str, *, title: str = "", empty: str = ""
) -> RenderableType:
    task = windows[0].task if windows else "binary"
    names = [metric, *(each for each in _MAIN.get(task, ()) if each != metric)]
    expected = any(metric in each.expected for each in windows)
    parts, money = any(each.part for each in windows), any(each.worth for each in windows)
    columns = ["from", "to", *(["part"] if parts else []), "predictions#", "labelled#", "labels"]
    columns += ["positive#", "score#"] if task == "binary" else []
    columns += [*map(_word, names), *([f"{_word(metric)} expected (estimate)"] if expected else [])]
    columns += [
        *(["calibration#"] if task in ("binary", "regression") else []),
        *(["worth"] if money else []),
    ]
    rows = []
    for each in windows:
        row: list[object] = [each.window.start, each.window.end, *([each.part] if parts else [])]
        row += [each.predictions, each.labelled, _state(each)]
        row += [each.positive_rate, each.mean_score] if task == "binary" else []
        row += [*(each.metrics.get(name) for name in names)]
        row += [each.expected.get(metric)] if expected else []
        row += [each.calibration_error] if task in ("binary", "regression") else []
        row += [_money(each.worth)] if money else []
        rows.append([*row, ", ".join(each.versions)])
    return table([*columns, "by"], rows, title=title, empty=empty)


def _state(each: Performance) -> str:
    if each.matured:
        return "ripe"
    share = each.maturity.arrived if each.maturity else 0.0
    due = each.maturity.due if each.maturity else None
    return f"young, {share:.0%}" + (f" of {due:.0%} due" if due is not None else "")


def _young(last: Performance, curve: MaturityCurve | None) -> RenderableType:
    """Why a young window is not judged, in numbers."""
    about: dict[str, object] = {}
    if curve is not None and curve.shares:
        about["labels arrive"] = (
            f"half of those that come within {_after(curve, 0.5)}, nine of ten within {_after(curve, 0.9)}; "
            f"{curve.final:.1%} of predictions get one (of {curve.predictions:,} in {curve.window})"
        )
    ripe = last.maturity
    if ripe is not None and ripe.final is not None:
        about["the youngest window"] = (
            f"has {last.labelled:,} labels of {last.predictions:,} and will have about {ripe.final.value:,.0f} "
            f"({ripe.final.lower:,.0f} to {ripe.final.upper:,.0f})"
        )
    if ripe is not None and ripe.early_mean is not None and ripe.final_mean is not None:
        about["early labels"] = (
            f"are {ripe.early_mean:.3f} on average where they come as early as these, all labels "
            f"{ripe.final_mean:.3f}: a young window is biased, and no rule judges it"
        )
    return pairs(about)


def _after(curve: MaturityCurve, part: float) -> str:
    wanted = part * curve.final
    seconds = next((at for at, share in zip(curve.delays, curve.shares, strict=True) if share >= wanted), 0.0)
    for size, word in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} s"


def _whole(last: Performance) -> RenderableType:
    """Every metric of one window beside what was expected, and what the intervals rest on."""
    names = [*last.metrics, *(name for name in last.expected if name not in last.metrics)]
    guess = ["expected without labels (an estimate)"] if last.expected else []
    rows = [
        (_word(name), last.metrics.get(name), *([last.expected.get(name)] if guess else [])) for name in names
    ]
    shown = table(["metric", "realised", *guess], rows, title=f"in {last.window}")
    about: dict[str, object] = {}
    if last.calibration and last.calibration.slope is not None:
        about["calibration"] = (
            f"slope {last.calibration.slope:.3f} (1 is right), intercept {last.calibration.intercept:.3f}"
        )
    if last.worth:
        about["worth"] = _money(last.worth)
        about |= {
            f"  {each.name}": f"{each.count:,.0f} times, {each.money:,.2f} {last.worth.currency}"
            for each in last.worth.outcomes
        }
    said = dict.fromkeys(each.assumption for each in last.metrics.values())
    about["intervals"] = Text("\n".join(f"{_level(last)}: {each}" for each in said))
    if last.expected:
        about["expected"] = next(iter(last.expected.values())).assumption
    return Group(shown, pairs(about))


def _level(last: Performance) -> str:
    return f"{next(iter(last.metrics.values())).level:.0%}"


def _money(worth: Worth | None) -> str | None:
    if worth is None:
        return None
    one: Estimate = worth.total
    return f"{one.value:,.2f} [{one.lower:,.2f}, {one.upper:,.2f}] {worth.currency}"


def _word(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))
