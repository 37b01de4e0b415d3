"""Rows on which two versions can be compared: neither of them was trained on what is asked of it there.

A version's held-out rows carry the scores that its recipe gave before they were added to the training. Any other row
counts only where it lies outside of the time that the version was trained on: a model knows the answers to its own
training rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import MlwrightError, NotComparable, UsageError
from mlwright.model.registry import ModelVersion, parse_model_ref
from mlwright.model.settings import EndpointSettings
from mlwright.platform.parts import Parts
from mlwright.ports.runtimes import LoadedModel, scores_of
from mlwright.stages.monitoring.comparison import FEWEST_DAYS
from mlwright.stages.monitoring.no_worse import Pair, Slice

TRAINED_FROM, TRAINED_TO = "mlwright.trained_from", "mlwright.trained_to"
"""Tags with which a client of the MLflow protocol says what a version was trained on (ISO 8601, UTC)."""

MOST_VALUES = 50
"""A column of text with more values than this is cut to the most frequent ones."""

_FEW_NUMBERS = 12

Load = Callable[[ModelVersion], LoadedModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class SameRows:
    """The rows, both versions' scores of them, and what has to be believed for them to be fair."""

    frame: pl.DataFrame
    pair: Pair
    timestamp: str
    held_out_by: str
    assumption: str


def same_rows(
    parts: Parts, load: Load, candidate: ModelVersion, champion: ModelVersion, *, min_rows: int
) -> SameRows:
    """The champion's held-out rows that the candidate was not trained on, else the other way round.

    Raises:
        NotComparable: there are too few; the error says why and what to do.
    """
    settings = endpoint_of(parts, champion)
    tried: list[str] = []
    for owner in (champion, candidate):
        if owner.evaluation is None or owner.evaluation.holdout is None:
            tried.append(f"{owner.ref} was registered without held-out rows")
            continue
        try:
            found = _scored(parts, load, owner, candidate, champion, settings)
        except NotComparable as problem:
            tried.append(f"on the rows that {owner.ref} held out: {problem.what}")
            continue
        except MlwrightError as problem:
            tried.append(f"on the rows that {owner.ref} held out: {problem.what}")
            continue
        if len(found.pair) >= min_rows and found.pair.days >= FEWEST_DAYS:
            return found
        tried.append(
            f"of the rows that {owner.ref} held out, {len(found.pair):,} of {found.pair.days} days were in neither "
            f"training; {min_rows:,} of {FEWEST_DAYS} days are needed"
        )
    raise NotComparable(
        f"{candidate.ref} and {champion.ref} cannot be compared on the same rows: {'; '.join(tried)}",
        next_command=_remedy(candidate, champion),
    )


def endpoint_of(parts: Parts, version: ModelVersion) -> EndpointSettings:
    """The endpoint that serves the version's model: it says which columns are label, instant and entity.

    Raises:
        NotComparable: there is none.
    """
    for each in parts.settings.endpoints:
        if parse_model_ref(each.model)[0] == version.model and each.label is not None:
            return each
    raise NotComparable(
        f"no endpoint in mlwright.toml serves {version.model!r}: nothing says which column is the label",
        next_command=f'add an [[endpoint]] with model = "{version.model}@champion" to mlwright.toml',
    )


def holdout_of(parts: Parts, version: ModelVersion) -> pl.DataFrame:
    """The held-out rows of a version, with its recipe's score on each."""
    if version.evaluation is None or version.evaluation.holdout is None:
        raise UsageError(f"{version.ref} was registered without evidence", next_command="mlwright models")
    return pl.read_parquet(BytesIO(parts.artifacts.get_bytes(version.evaluation.holdout)))


def slices_of(rows: SameRows, columns: tuple[str, ...]) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
    """The slices of some columns, and the columns that are not there.

    Text and booleans make a slice a value (the 50 most frequent), numbers with more than twelve values a quarter each,
    ``hour`` the hours of the instant where the rows have no such column.
    """
    found: list[Slice] = []
    missing: list[str] = []
    for name in columns:
        if name in rows.frame.columns:
            values = _labelled(rows.frame[name])
        elif name == "hour":
            values = rows.frame[rows.timestamp].dt.hour().cast(pl.String)
        else:
            missing.append(name)
            continue
        kept = values.value_counts(sort=True, name="rows").head(MOST_VALUES)[values.name].to_list()
        for value in sorted(kept, key=_order):
            which: NDArray[np.bool_] = (
                (values.is_null() if value is None else values == value).fill_null(value=False).to_numpy()
            )
            found.append(Slice(column=name, value="missing" if value is None else value, rows=which))
    return tuple(found), tuple(missing)


def training_window(version: ModelVersion) -> tuple[datetime | None, datetime | None, bool]:
    """From when to when a version was trained on, and whether somebody merely said so in tags."""
    if version.trained_to is not None:
        return version.trained_from, version.trained_to, False
    return _instant(version.tags.get(TRAINED_FROM)), _instant(version.tags.get(TRAINED_TO)), True


def _scored(
    parts: Parts,
    load: Load,
    owner: ModelVersion,
    candidate: ModelVersion,
    champion: ModelVersion,
    settings: EndpointSettings,
) -> SameRows:
    key = [settings.entity, settings.timestamp]
    label = settings.truth.column
    frame = holdout_of(parts, owner)
    lacking = [name for name in (*key, label) if name not in frame.columns]
    if lacking:
        raise NotComparable(f"they have no column {', '.join(lacking)}")
    frame = frame.drop("score", strict=False).filter(pl.col(label).is_not_null())
    frame = frame.unique(key, keep="first", maintain_order=True)
    scores = [_honest(parts, load, each, frame, settings) for each in (candidate, champion)]
    known = ~(np.isnan(scores[0]) | np.isnan(scores[1]))
    rows = frame.filter(pl.Series(known))
    said = [each.ref for each in (candidate, champion) if training_window(each)[2]]
    assumption = "days are independent; rows within a day need not be"
    if said:
        assumption += f"; {', '.join(said)} was trained only on the time that its tags say"
    return SameRows(
        frame=rows,
        pair=Pair(
            labels=rows[label].cast(pl.Float64).to_numpy(),
            candidate=scores[0][known],
            champion=scores[1][known],
            clusters=rows[settings.timestamp].dt.epoch("d").to_numpy(),
        ),
        timestamp=settings.timestamp,
        held_out_by=owner.ref,
        assumption=assumption,
    )


def _honest(
    parts: Parts, load: Load, version: ModelVersion, rows: pl.DataFrame, settings: EndpointSettings
) -> NDArray[np.float64]:
    """A version's scores of rows, NaN where it may know the answer."""
    key = [settings.entity, settings.timestamp]
    scores = np.full(rows.height, np.nan)
    if version.evaluation is not None and version.evaluation.holdout is not None:
        own = holdout_of(parts, version).select(*key, "score").unique(key, keep="first")
        joined = rows.select(key).join(own, on=key, how="left", maintain_order="left")["score"]
        scores = joined.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    open_ = np.isnan(scores) & _unseen(version, rows[settings.timestamp])
    if open_.any():
        model = load(version)
        names = model.signature.input_names
        lacking = [name for name in names if name not in rows.columns]
        if lacking:
            raise NotComparable(f"they have no column {', '.join(lacking)}, which {version.ref} asks for")
        asked = rows.filter(pl.Series(open_)).select(names)
        scores[open_] = scores_of(model, asked.to_dict(as_series=False))
    return scores


def _unseen(version: ModelVersion, at: pl.Series) -> NDArray[np.bool_]:
    start, end, _ = training_window(version)
    if end is None:
        return np.zeros(len(at), dtype=np.bool_)
    after = (at > end).to_numpy()
    return after if start is None else after | (at < start).to_numpy()


def _remedy(candidate: ModelVersion, champion: ModelVersion) -> str:
    for each in (candidate, champion):
        if training_window(each)[1] is None:
            return f"say what {each.ref} was trained on: set its tag {TRAINED_TO} (ISO 8601) with any MLflow client"
    return "mlwright run PIPELINE, which holds rows out: evaluate(…) before register(…)"


def _instant(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def _labelled(values: pl.Series) -> pl.Series:
    """A column as text, numbers with many values as quarters."""
    if values.dtype.is_numeric() and values.n_unique() > _FEW_NUMBERS:
        edges = [values.quantile(each) for each in (0.25, 0.5, 0.75)]
        cuts = sorted({each for each in edges if each is not None})
        names = [
            f"≤ {cuts[0]:g}",
            *(f"{low:g} … {high:g}" for low, high in pairwise(cuts)),
            f"> {cuts[-1]:g}",
        ]
        place = np.searchsorted(cuts, values.fill_null(cuts[0]).to_numpy(), side="left")
        named = pl.Series(values.name, [names[each] for each in place], dtype=pl.String)
        return named.to_frame().select(pl.when(values.is_not_null()).then(pl.col(values.name))).to_series()
    return values.cast(pl.String)


def _order(value: str | None) -> tuple[bool, float, str]:
    text = value or ""
    return (value is None, float(text) if text.isdigit() else float("inf"), text)
