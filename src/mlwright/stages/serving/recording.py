"""What of the predictions is kept: samples, digests in place of values, and columns left out."""

import math
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np

from mlwright.errors import StorageError
from mlwright.model.settings import RecordSettings
from mlwright.stages.serving.blocks import PredictionBlock

T = TypeVar("T")

_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 12
_KEY_FILE: Final = "record.key"


class RecordPolicy:
    """An endpoint's :class:`RecordSettings`, applied to blocks before they are logged.

    Ask :attr:`everything` first: where it is True, :meth:`apply` has nothing to do. Statistics over a sample hold for
    everything once each row counts ``weight`` times.
    """

    def __init__(self, settings: RecordSettings, key: bytes) -> None:
        """Read the settings once; ``key`` is :func:`record_key`'s (up to 64 bytes), used where columns are masked."""
        self.everything: Final = settings.sample >= 1.0 and not settings.mask and not settings.leave_out
        """Whether blocks are logged as they are."""
        self.refuse: Final = settings.when_full == "refuse"
        """What to tell the journal's ``append``."""
        self._sample = settings.sample
        self._below = math.ceil(settings.sample * 2**64)
        self._mask = frozenset(settings.mask)
        self._leave_out = frozenset(settings.leave_out)
        self._key = key

    def apply(self, blocks: Sequence[PredictionBlock]) -> tuple[PredictionBlock, ...]:
        """The blocks as they are to be logged; those of which no row is left are gone.

        Whether a prediction is in the sample depends on its id alone, so the records of all variants of it are kept or
        none. Equal values of one column have equal digests; a missing value stays missing. The endpoint's entity is no
        column: it is kept, for labels that name it.
        """
        if self.everything:
            return tuple(blocks)
        kept: list[PredictionBlock] = []
        for block in blocks:
            sampled = self._sampled(block) if self._sample < 1.0 else block
            if sampled is not None:
                hidden = self._mask or self._leave_out
                kept.append(self._hidden(sampled) if hidden else sampled)
        return tuple(kept)

    def _sampled(self, block: PredictionBlock) -> PredictionBlock | None:
        rows = [row for row, each in enumerate(block.prediction_ids) if _draw(each) < self._below]
        if not rows:
            return None
        weight = block.weight / self._sample
        if len(rows) == len(block.prediction_ids):
            return msgspec.structs.replace(block, weight=weight)
        matrix = block.matrix
        if matrix:
            cells = np.frombuffer(matrix, dtype=np.uint8).reshape(len(block.prediction_ids), -1)
            matrix = cells[rows].tobytes()
        return msgspec.structs.replace(
            block,
            weight=weight,
            prediction_ids=_taken(block.prediction_ids, rows),
            entity_keys=_taken(block.entity_keys, rows),
            event_times=_taken(block.event_times, rows),
            served=_taken(block.served, rows),
            scores=_taken(block.scores, rows),
            flags=_taken(block.flags, rows),
            features={name: _taken(column, rows) for name, column in block.features.items()},
            outputs={name: _taken(column, rows) for name, column in block.outputs.items()},
            matrix=matrix,
        )

    def _hidden(self, block: PredictionBlock) -> PredictionBlock:
        """The block without the columns to leave out, and with digests in those to mask."""
        features = {
            name: self._digests(name, column) if name in self._mask else column
            for name, column in block.features.items()
            if name not in self._leave_out
        }
        outputs = {
            name: self._digests(name, column) if name in self._mask else column
            for name, column in block.outputs.items()
            if name not in self._leave_out
        }
        matrix, names = block.matrix, block.names
        touched = (self._mask | self._leave_out).intersection(names)
        if matrix and touched:
            rows = len(block.prediction_ids)
            width = len(matrix) // (rows * len(names))
            cells = np.frombuffer(matrix, dtype=f"<f{width}").reshape(rows, len(names))
            for at, name in enumerate(names):
                if name in self._mask and name not in self._leave_out:
                    features[name] = self._digests(name, cells[:, at].tolist())
            left = [at for at, name in enumerate(names) if name not in touched]
            matrix = np.ascontiguousarray(cells[:, left]).tobytes()
            names = tuple(names[at] for at in left)
        hidden = self._mask | self._leave_out
        flags = ["hidden" if _about(each, hidden) else each for each in block.flags]
        return msgspec.structs.replace(
            block,
            features=features,
            outputs=outputs,
            matrix=matrix if names else b"",
            names=names,
            flags=flags,
        )

    def _digests(self, name: str, column: Sequence[object]) -> list[object]:
        """Keyed with the project's key and the column's name; a number and the same number as float are equal."""
        keyed = blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        keyed.update(name.encode() + b"\0")
        digests: list[object] = []
        for value in column:
            if value is None or value != value:
                digests.append(None)
                continue
            digest = keyed.copy()
            digest.update(_plain(value))
            digests.append(digest.hexdigest())
        return digests


def record_key(state: Path) -> bytes:
    """The project's key for digests (32 bytes), made at the first call and readable by its owner alone.

    Raises:
        StorageError: it can be neither read nor made.
    """
    path = state / _KEY_FILE
    draft = state / f".{_KEY_FILE}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        key = _read(path) or _made(path, draft)
    except OSError as error:
        raise StorageError(
            "the key for masked columns can be neither read nor made", where=str(path), why=str(error)
        ) from error
    if len(key) != _KEY_BYTES:
        raise StorageError(
            f"the key for masked columns does not have {_KEY_BYTES} bytes",
            where=str(path),
            why="digests made with another key cannot be compared with those in the log",
            next_command=f"restore {path} from a backup",
        )
    return key


def _made(path: Path, draft: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError):  # whoever is first has made it; all others read that one
        os.link(draft, path)
    draft.unlink()
    return path.read_bytes()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _draw(prediction_id: str) -> int:
    return int.from_bytes(blake2b(prediction_id.encode(), digest_size=8).digest(), "little")


def _taken(column: list[T], rows: Sequence[int]) -> list[T]:
    return [column[row] for row in rows] if column else column


def _plain(value: object) -> bytes:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{type(value).__name__}:{value}".encode()


def _about(flags: str, hidden: frozenset[str]) -> bool:
    """Whether a row's flags are about a hidden column: what was wrong with a value may quote it."""
    return any(f"{name}[" in flags for name in hidden)
