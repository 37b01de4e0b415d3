"""Counts as few bytes: what of a sketch is not already in the reference's bins."""

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from mlwright.errors import StorageError
from mlwright.stages.monitoring.sketches import Bins, Sketch

_HEAD = struct.Struct("<8sBQ7dI")
"""Digest of the bins, width of a count, rows, squares, heaviness, extremes, infinite values, unread; then counts."""


_WIDTHS: dict[int, np.dtype[np.generic]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<f8"),
}


def pack(sketches: Mapping[str, Sketch]) -> bytes:
    """All columns of one window in one compressed piece."""
    pieces = []
    for name, each in sketches.items():
        body = encode(each)
        title = name.encode()
        pieces += [struct.pack("<HI", len(title), len(body)), title, body]
    return zlib.compress(b"".join(pieces), 6)


def unpack(reference: Mapping[str, Sketch], stored: bytes) -> dict[str, Sketch]:
    """Read what ``pack`` wrote; columns that the reference no longer has are left out.

    Raises:
        StorageError: the bytes are damaged, or were counted into other bins.
    """
    found: dict[str, Sketch] = {}
    try:
        raw, at = zlib.decompress(stored), 0
        while at < len(raw):
            title, body = struct.unpack_from("<HI", raw, at)
            at += 6
            name = raw[at : at + title].decode()
            if name in reference:
                found[name] = decode(reference[name].bins, raw[at + title : at + title + body])
            at += title + body
    except (zlib.error, struct.error, UnicodeDecodeError) as fault:
        raise StorageError("stored drift counts cannot be read", why=repr(fault)) from fault
    return found


def encode(sketch: Sketch) -> bytes:
    """The counts without the bins, whole counts in as few bytes as the largest needs, not compressed."""
    whole = bool(np.all(sketch.counts == np.floor(sketch.counts)) and sketch.counts.max() < 2**32)
    width = next(each for each in (1, 2, 4) if sketch.counts.max() < 256**each) if whole else 8
    counts = sketch.counts.astype(_WIDTHS[width])
    held = sketch.sums[sketch.counts[: sketch.bins.ordered] > 0]
    head = _HEAD.pack(sketch.bins.digest(), width, sketch.rows, *_scalars(sketch), len(held))
    return head + counts.tobytes() + held.tobytes()


def decode(bins: Bins, stored: bytes) -> Sketch:
    """Read what ``encode`` wrote.

    Raises:
        StorageError: the bytes are damaged, or were counted into other bins.
    """
    try:
        digest, width, rows, heaviness, squares, least, most, below, above, unread, held = _HEAD.unpack_from(
            stored
        )
        if digest != bins.digest():
            raise StorageError("stored drift counts belong to other bins")
        start = _HEAD.size + width * bins.cells
        counts = np.frombuffer(stored, _WIDTHS[width], bins.cells, _HEAD.size).astype(np.float64)
        sums = np.zeros(bins.ordered)
        sums[counts[: bins.ordered] > 0] = np.frombuffer(stored, np.float64, held, start)
    except (struct.error, KeyError, ValueError) as fault:
        raise StorageError("stored drift counts cannot be read", why=repr(fault)) from fault
    return Sketch(
        bins=bins,
        counts=counts,
        sums=sums,
        rows=rows,
        heaviness=heaviness,
        squares=squares,
        least=least,
        most=most,
        infinite=(below, above),
        unread=unread,
    )


def _scalars(sketch: Sketch) -> tuple[float, ...]:
    return (
        sketch.heaviness,
        sketch.squares,
        sketch.least,
        sketch.most,
        *sketch.infinite,
        sketch.unread,
    )
