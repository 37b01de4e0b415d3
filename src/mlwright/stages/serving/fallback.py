"""What answers when the model cannot."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Final

import msgspec
import numpy as np

from mlwright.errors import MlwrightError, Overloaded
from mlwright.model.batches import DTYPES, Array, Batch
from mlwright.model.registry import Field
from mlwright.model.settings import FallbackSettings
from mlwright.stages.serving.generations import Arm, Generation
from mlwright.stages.serving.rows import Rows
from mlwright.stages.serving.scoring import score_champion

MOST_CACHED: Final = 10_000
"""Rows whose last answer is kept in memory."""

_encoder = msgspec.msgpack.Encoder(enc_hook=str)


@dataclass(frozen=True, slots=True)
class Cached:
    """The last answer to one row, each output with one row."""

    outputs: Mapping[str, Array]
    variant: str
    ref: str


@dataclass(frozen=True, slots=True)
class Stopgap:
    """The outputs that stand in for those of the model, and whose they are: one name and version a row."""

    why: str
    outputs: Mapping[str, Array]
    variants: Sequence[str]
    refs: Sequence[str]


class Fallback:
    """An endpoint's fallback. Safe to use from several threads."""

    def __init__(self, settings: FallbackSettings, *, most: int = MOST_CACHED) -> None:
        self.to: Final = settings.to
        self._value = settings.value
        self._most = most
        self._cache: OrderedDict[bytes, Cached] = OrderedDict()
        self._lock = Lock()

    def remember(
        self, batch: Batch, outputs: Sequence[Mapping[str, Array]], split: Sequence[int], arms: Sequence[Arm]
    ) -> None:
        """Keep the answers to a batch, where they may be wanted again.

        Args:
            batch: what was asked.
            outputs: of each variant.
            split: the variant that answered each row.
            arms: the variants.
        """
        if self.to != "cached":
            return
        answers = []
        for row, index in enumerate(split):
            own = {name: column[row : row + 1].copy() for name, column in outputs[index].items()}
            answers.append(Cached(own, arms[index].name, arms[index].ref))
        with self._lock:
            cache = self._cache
            for key, answer in zip(digests(batch), answers, strict=True):
                cache[key] = answer
                cache.move_to_end(key)
            while len(cache) > self._most:
                cache.popitem(last=False)

    def stopgap(self, generation: Generation, rows: Rows, error: MlwrightError) -> Stopgap | None:
        """What may stand in for the model's outputs; None where nothing does.

        An overload is not answered by another model, which would add to it.
        """
        arm = generation.arms[0]
        if self.to == "previous" and not isinstance(error, Overloaded):
            return self._previous(generation, rows)
        if self.to == "cached":
            return self._cached(generation, rows.batch)
        if self.to == "default" and self._value is not None:
            count = rows.batch.rows
            outputs = {each.name: _constant(each, self._value, count) for each in arm.model.signature.outputs}
            if not outputs:
                outputs = {"score": _constant(Field(name="score", type="double"), self._value, count)}
            return Stopgap("default", outputs, [arm.name] * count, [arm.ref] * count)
        return None

    def _previous(self, generation: Generation, rows: Rows) -> Stopgap | None:
        previous = generation.previous
        if previous is None:
            return None
        count = rows.batch.rows
        try:
            scored = score_champion(previous, rows.batch, generation.route.endpoint)
        except MlwrightError:
            return None
        if not _same_names(scored.outputs, generation):
            return None
        return Stopgap("previous", scored.outputs, [previous.name] * count, [previous.ref] * count)

    def _cached(self, generation: Generation, batch: Batch) -> Stopgap | None:
        keys = digests(batch)
        with self._lock:
            found = [self._cache.get(key) for key in keys]
        known = [each for each in found if each is not None and _same_names(each.outputs, generation)]
        if len(known) < len(found):
            return None
        try:
            outputs = {
                name: np.concatenate([each.outputs[name] for each in known]) for name in known[0].outputs
            }
        except (KeyError, ValueError):  # answers of versions whose outputs differ
            return None
        return Stopgap("cached", outputs, [each.variant for each in known], [each.ref for each in known])


def digests(batch: Batch) -> list[bytes]:
    """16 bytes a row: rows of equal inputs have equal ones."""
    if batch.matrix is not None:
        lines = [row.tobytes() for row in batch.matrix]
    else:
        columns = [batch.columns[name].tolist() for name in sorted(batch.columns)]
        lines = [_encoder.encode(row) for row in zip(*columns, strict=True)]
    return [blake2b(line, digest_size=16).digest() for line in lines]


def _same_names(outputs: Mapping[str, Array], generation: Generation) -> bool:
    wanted = {each.name for each in generation.arms[0].model.signature.outputs}
    return not wanted or outputs.keys() == wanted


def _constant(each: Field, value: float | str, rows: int) -> Array:
    shape = (rows, *(1 if size < 0 else size for size in each.shape))
    dtype = DTYPES.get(each.type, "object")
    if isinstance(value, str) or dtype == "object" or dtype.startswith("datetime"):
        filled = np.empty(shape, dtype=object)
        filled[...] = value
        return filled
    return np.full(shape, value, dtype=dtype)
