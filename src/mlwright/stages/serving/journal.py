"""The journal: what a serving process was given before it answered, on its way to a segment.

One process writes ``<log>/journal/<kind>-<started_us>-<pid>-<seq>.mlj`` and holds an exclusive ``flock``
on the file as long as it may append; whoever gets that lock knows that the writer closed the file or is
gone (also after ``kill -9``, also when its pid was given to another process since). A file is a row of
frames::

    4 bytes  magic "MLJ1"
    4 bytes  length of the payload, little endian
    4 bytes  CRC-32 of length and payload, little endian
    payload  msgpack map of a PredictionBlock or LabelBlock

``append`` hands its frames to the kernel by one ``write`` on an O_APPEND descriptor and returns afterwards, so what
was acknowledged survives the death of the process. Labels, which cannot be had again, are also forced to the disk
(``fdatasync``; measured 0.25 ms in the median and 2 ms at p99 on the build machine's virtual disk, once a feedback
call), so that they survive a loss of power too. Predictions are not (up to about 30 s of them may be lost with the
power). A serving process does not even wait for the ``write`` of a prediction: see ``ring.py``.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Protocol, TypeAlias
from zlib import crc32

import msgspec

from mlwright.errors import StorageError
from mlwright.model.instants import to_micros
from mlwright.model.predictions import LabelBlock
from mlwright.ports.clock import Clock
from mlwright.stages.serving.blocks import PredictionBlock

Block: TypeAlias = PredictionBlock | LabelBlock
Buffer: TypeAlias = bytes | memoryview

PREDICTIONS: Final = "predictions"
LABELS: Final = "labels"

MAGIC: Final = b"MLJ1"
_HEADER: Final = struct.Struct("<4sII")
_LENGTH: Final = struct.Struct("<I")
ROLL_BYTES: Final = 8 << 20

_encoder = msgspec.msgpack.Encoder()


class Recorder(Protocol):
    """Where the core logs what it answered and the labels it was sent: a ``RingJournal``, or a plain ``Journal``."""

    def append(self, *blocks: Block, refuse: bool = False) -> None:
        """Log blocks, all of them or none; when this returns they survive the death of the process.

        Args:
            blocks: what to log.
            refuse: whether a full ring raises Overloaded; else the predictions are dropped and counted.

        Raises:
            Overloaded: the ring is full, and ``refuse`` is set.
            StorageError: the file system did not take them; nothing of this call was kept.
        """

    def roll(self) -> None:
        """Close the files, so that compaction may take them; the next append starts new ones."""

    def close(self) -> None:
        """Give back what is held open; nothing that was logged is lost."""


class Journal:
    """The append-only journal of this process: one open file for predictions, one for labels.

    Safe to use from several threads. Files are created at the first append.
    """

    def __init__(self, folder: Path, clock: Clock, *, roll_bytes: int = ROLL_BYTES) -> None:
        started = to_micros(clock.now())
        where = folder / "journal"
        self._files = {
            PREDICTIONS: _JournalFile(where, PREDICTIONS, started, roll_bytes, sync=False),
            LABELS: _JournalFile(where, LABELS, started, roll_bytes, sync=True),
        }
        self._lock = Lock()

    def append(self, *blocks: Block, refuse: bool = False) -> None:
        """Write blocks, each waiting for the file system; nothing is ever dropped, whatever ``refuse`` says.

        Raises:
            StorageError: the file system did not take them; nothing of this call was kept.
        """
        frames: dict[str, bytes] = {}
        for block in blocks:
            kind = PREDICTIONS if isinstance(block, PredictionBlock) else LABELS
            frames[kind] = frames.get(kind, b"") + encode_frame(block)
        with self._lock:
            for kind, data in frames.items():
                self._files[kind].append((data,))

    def take(self, frames: Sequence[Buffer]) -> None:
        """Write predictions that are frames already; together they are whole frames.

        Raises:
            StorageError: the file system did not take them; nothing of this call was kept.
        """
        with self._lock:
            self._files[PREDICTIONS].append(frames)

    def roll(self) -> None:
        """Close the files, so that compaction may take them; the next append starts new ones."""
        with self._lock:
            for each in self._files.values():
                each.close()

    def close(self) -> None:
        """Close the files. A later append would open new ones."""
        self.roll()


class _JournalFile:
    """The file of one kind: created when needed, closed above ``roll_bytes``."""

    def __init__(self, folder: Path, kind: str, started: int, roll_bytes: int, *, sync: bool) -> None:
        self._folder = folder
        self._stem = f"{kind}-{started}-{os.getpid()}"
        self._roll_bytes = roll_bytes
        self._sync = sync
        self._sequence = 0
        self._fd: int | None = None
        self._size = 0

    def append(self, data: Sequence[Buffer]) -> None:
        try:
            if self._fd is None:
                self._fd = self._create()
                self._size = 0
            self._write(self._fd, data)
        except OSError as error:
            raise StorageError(
                "the prediction log cannot be written",
                where=str(self._folder),
                why=str(error),
                next_command="mlwright doctor",
            ) from error
        self._size += sum(map(len, data))
        if self._size >= self._roll_bytes:
            self.close()

    def _write(self, fd: int, data: Sequence[Buffer]) -> None:
        try:
            for each in data:
                written = 0
                while written < len(each):
                    written += os.write(fd, each[written:])
            if self._sync:
                os.fdatasync(fd)
        except OSError:
            # A half frame must not stand before the next one: this process is the only writer.
            os.ftruncate(fd, self._size)
            raise

    def _create(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._folder / f"{self._stem}-{self._sequence:04d}.mlj"
            self._sequence += 1
            try:
                fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
            except FileExistsError:
                continue
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:  # compaction may have seen the empty file before it was locked
                self._sync_folder()
                return fd
            os.close(fd)

    def _sync_folder(self) -> None:
        """Make the file's name survive a loss of power too: its bytes alone would be found by nobody."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def encode_frame(block: Block) -> bytes:
    """The bytes of one block in a journal."""
    payload = _encoder.encode(block)
    length = _LENGTH.pack(len(payload))
    return MAGIC + length + _LENGTH.pack(crc32(payload, crc32(length))) + payload


@dataclass(slots=True)
class Damage:
    """What could not be read of a journal.

    ``corrupt`` counts places where complete bytes are wrong; ``torn`` says that the last frame stops
    short, as after a death in the middle of a write (such a frame was never acknowledged). ``end`` is
    where reading can go on once the file has grown.
    """

    corrupt: int = 0
    torn: bool = False
    end: int = 0


def iter_frames(data: bytes, damage: Damage) -> Iterator[bytes]:
    """The payloads of all sound frames, in order; what lies between is counted in ``damage``."""
    at = 0
    damage.end = 0
    while at < len(data):
        payload = _frame_at(data, at)
        if payload is not None:
            at += _HEADER.size + len(payload)
            damage.end = at
            yield payload
            continue
        following = _next_frame(data, at + 1)
        if following is None:
            # A frame that was appended after this one may be sound later: do not move on.
            damage.torn = _is_short(data, at)
            damage.corrupt += not damage.torn
            return
        damage.corrupt += 1
        at = following


def iter_blocks(path: Path, *, report: Callable[[Damage], None] | None = None) -> Iterator[Block]:
    """The blocks of one journal file, oldest first.

    A torn tail is ignored; corrupt bytes in the middle are skipped up to the next sound frame.

    Args:
        path: a ``.mlj`` file; its name says which kind of block it holds.
        report: is told at the end what could not be read.
    """
    damage = Damage()
    decode = decoder_of(path.name)
    for payload in iter_frames(path.read_bytes(), damage):
        yield decode(payload)
    if report is not None:
        report(damage)


def decoder_of(name: str) -> Callable[[bytes], Block]:
    """What decodes the payloads of a journal file of that name."""
    if name.startswith(f"{PREDICTIONS}-"):
        return msgspec.msgpack.Decoder(PredictionBlock).decode
    return msgspec.msgpack.Decoder(LabelBlock).decode


def writer_pid(name: str) -> int:
    """The process that wrote the journal file of that name."""
    return int(name.rsplit("-", 2)[1])


def _frame_at(data: bytes, at: int) -> bytes | None:
    if len(data) - at < _HEADER.size:
        return None
    magic, length, checksum = _HEADER.unpack_from(data, at)
    payload = data[at + _HEADER.size : at + _HEADER.size + length]
    if magic != MAGIC or len(payload) != length:
        return None
    return payload if crc32(payload, crc32(_LENGTH.pack(length))) == checksum else None


def _next_frame(data: bytes, start: int) -> int | None:
    at = data.find(MAGIC, start)
    while at >= 0:
        if _frame_at(data, at) is not None:
            return at
        at = data.find(MAGIC, at + 1)
    return None


def _is_short(data: bytes, at: int) -> bool:
    head = data[at : at + _HEADER.size]
    if len(head) < _HEADER.size:
        return head[: len(MAGIC)] == MAGIC[: len(head)]
    magic, length, _ = _HEADER.unpack(head)
    return bool(magic == MAGIC) and len(data) - at - _HEADER.size < length
