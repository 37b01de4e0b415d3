"""Rows to measure a model with: those that were asked of it, then held-out ones, its example, and drawn ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from mlwright.errors import MlwrightError, SignatureMismatch
from mlwright.model.batches import NUMBERS, WHOLE, Batch, batch_of
from mlwright.model.instants import to_micros
from mlwright.model.registry import Field, ModelVersion, Signature, parse_model_ref
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window
from mlwright.platform.parts import Parts
from mlwright.platform.same_rows import holdout_of
from mlwright.stages.registry.survey import read_example, survey

LOGGED: Final = "log"
HELD_OUT: Final = "held out"
EXAMPLE: Final = "example"
DRAWN: Final = "drawn"
_BACK: Final = tuple(timedelta(days=days) for days in (1, 7, 30, 365))
_AROUND: Final = 0.1
_MISSING: Final = 0.05


@dataclass(slots=True)
class RealRows:
    """Rows by input, where each came from, and what its request named. ``notes`` say what could not be used."""

    inputs: tuple[Field, ...]
    columns: dict[str, list[object]] = field(default_factory=dict)
    origins: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def counts(self) -> dict[str, int]:
        """How many came from where."""
        return {each: self.origins.count(each) for each in dict.fromkeys(self.origins)}

    def batch(self) -> Batch:
        """All rows as a model takes them."""
        return batch_of(self.inputs, self.columns)

    def add(
        self,
        columns: Mapping[str, Sequence[object]],
        origin: str,
        keys: Sequence[str] = (),
        times: Sequence[int] = (),
    ) -> None:
        """Add rows that have every required input, and say so where they do not fit."""
        lacking = [each.name for each in self.inputs if each.required and each.name not in columns]
        if lacking:
            self.notes.append(f"{origin}: the rows have no {', '.join(lacking[:5])}")
            return
        rows = len(next(iter(columns.values()), ()))
        whole = {each.name: list(columns.get(each.name, [None] * rows)) for each in self.inputs}
        try:
            batch_of(self.inputs, whole)
        except SignatureMismatch as error:
            self.notes.append(f"{origin}: {error.what}")
            return
        for name, values in whole.items():
            self.columns.setdefault(name, []).extend(values)
        self.origins += [origin] * rows
        at = len(self.keys)
        self.keys += list(keys) or [f"measured-{at + number}" for number in range(rows)]
        self.times += list(times) or [0] * rows


def real_rows(
    parts: Parts, version: ModelVersion, signature: Signature, folder: Path, most: int, *, draw: bool
) -> RealRows:
    """Up to ``most`` rows for a version: logged, held out, the example's, and with ``draw`` as many drawn as lack."""
    rows = RealRows(inputs=signature.inputs)
    for endpoint in parts.settings.endpoints:
        if parse_model_ref(endpoint.model)[0] == version.model and len(rows) < most:
            _add_logged(rows, parts, endpoint, most - len(rows))
    if len(rows) < most and version.evaluation is not None and version.evaluation.holdout is not None:
        try:
            _add_frame(rows, holdout_of(parts, version), HELD_OUT, most - len(rows))
        except MlwrightError as error:
            rows.notes.append(f"{HELD_OUT}: {error.what}")
    example = example_of(folder, signature)
    if example is not None and len(rows) < most:
        rows.add({name: list(values)[: most - len(rows)] for name, values in example.items()}, EXAMPLE)
    if not len(rows):
        rows.add({each.name: [_zero(each)] for each in signature.inputs}, DRAWN)
    if draw and len(rows) < most:
        rows.add(_drawn(rows, most - len(rows), parts.settings.seed), DRAWN)
    now = to_micros(parts.clock.now())
    rows.times = [each or now for each in rows.times]
    return rows


def example_of(folder: Path, signature: Signature) -> dict[str, list[object]] | None:
    """The input example of a folder by column; None where there is none, or none that has the inputs by name."""
    found = survey(folder)
    if not found.example:
        return None
    try:
        held = read_example(folder, found.example)
    except (OSError, ValueError):
        return None
    if (
        isinstance(held, dict)
        and isinstance(held.get("data"), list)
        and isinstance(held.get("columns"), list)
    ):
        columns = {str(name): [row[at] for row in held["data"]] for at, name in enumerate(held["columns"])}
    elif isinstance(held, dict) and isinstance(held.get("inputs"), dict):
        columns = {name: values for name, values in held["inputs"].items() if isinstance(values, list)}
    elif isinstance(held, list) and len(signature.inputs) == 1:
        columns = {signature.inputs[0].name: held}
    else:
        return None
    return {str(name): list(values) for name, values in columns.items()} or None


def _add_logged(rows: RealRows, parts: Parts, endpoint: EndpointSettings, most: int) -> None:
    """What was asked of an endpoint lately; a column that is logged as a digest or not at all cannot be used."""
    record = endpoint.serving.record
    hidden = set(record.mask) | set(record.leave_out)
    now = parts.clock.now()
    frame = pl.DataFrame()
    for back in _BACK:
        frame = parts.log.features(
            Window(start=now - back, end=now + timedelta(days=1)), endpoint=endpoint.name
        )
        if frame.height >= most:
            break
    if frame.height:
        _add_frame(rows, frame.drop([name for name in hidden if name in frame.columns]), LOGGED, most)


def _add_frame(rows: RealRows, frame: pl.DataFrame, origin: str, most: int) -> None:
    if frame.height > most:
        frame = frame.sample(most, seed=0)
    names = [each.name for each in rows.inputs if each.name in frame.columns]
    keys, times = [], []
    if "entity_key" in frame.columns and "event_time" in frame.columns:
        keys = frame["entity_key"].cast(pl.String).to_list()
        times = frame["event_time"].dt.epoch("us").to_list()
    rows.add(frame.select(names).to_dict(as_series=False), origin, keys, times)


def _drawn(rows: RealRows, count: int, seed: int) -> dict[str, list[object]]:
    """Rows around those that are there: numbers from a tenth below the least to a tenth above the most, texts and
    booleans that occur, and some missing values where an input may be missing or was."""
    random = np.random.default_rng(seed)
    drawn: dict[str, list[object]] = {}
    for each in rows.inputs:
        seen = rows.columns[each.name]
        known = [value for value in seen if value is not None and not _is_nan(value)]
        if each.shape or each.type not in NUMBERS or each.type == "boolean":
            pool: list[object] = [True, False] if each.type == "boolean" else known or [_zero(each)]
            values = [pool[int(at)] for at in random.integers(0, len(pool), count)]
        else:
            values = _numbers_around(each, known, count, random)
        if not each.required or len(known) < len(seen):
            gone = random.random(count) < _MISSING
            values = [None if missing else value for missing, value in zip(gone, values, strict=True)]
        drawn[each.name] = values
    return drawn


def _numbers_around(
    each: Field, known: Sequence[object], count: int, random: np.random.Generator
) -> list[object]:
    numbers = np.array(known or [0.0], dtype=np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    span = high - low or max(1.0, abs(high))
    found = random.uniform(low - _AROUND * span, high + _AROUND * span, count)
    if each.type in WHOLE:
        return [int(value) for value in np.clip(np.rint(found), low, high)]
    return [float(value) for value in found]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _zero(each: Field) -> object:
    if each.shape:
        return np.zeros([max(1, size) for size in each.shape]).tolist()
    return {"string": "", "binary": b"", "boolean": False, "datetime": "1970-01-01"}.get(each.type, 0)
