"""The digest of a frame's content.

The bytes that are hashed are our own (not Arrow IPC), so that a digest outlives versions of polars: for each
column its name and type, then in blocks of a fixed number of rows a null mask and the values, little-endian,
with zero in the place of nulls; text as lengths and UTF-8. Chunks, spare bytes under nulls and the library's
file format leave no trace.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from blake3 import blake3

from mlwright.errors import DataError
from mlwright.model.ids import Digest

_BLOCK_ROWS = 1 << 20


def content_digest(frame: pl.DataFrame) -> Digest:
    """Digest names, types, values and the order of rows and columns.

    NaN is one value whatever its bits; 0.0 and -0.0 are two.

    Raises:
        DataError: a column holds Python objects, which have no canonical bytes.
    """
    hasher = blake3(max_threads=blake3.AUTO)
    hasher.update(f"mlwright-frame-1 {frame.height} {frame.width}".encode())
    for column in frame.iter_columns():
        header = f"{column.name}\x1f{column.dtype}".encode()
        hasher.update(len(header).to_bytes(8, "little") + header)
        for start in range(0, column.len(), _BLOCK_ROWS):
            for part in _parts(column.slice(start, _BLOCK_ROWS)):
                hasher.update(part)
    return Digest(f"blake3:{hasher.hexdigest()}")


def _parts(column: pl.Series) -> Iterator[bytes | memoryview]:
    """The canonical bytes of one block: the null mask, then the values."""
    yield np.packbits(column.is_null().to_numpy()).tobytes()
    dtype = column.dtype
    if dtype == pl.Null:
        return
    if isinstance(dtype, pl.Object):
        raise DataError(
            f"column {column.name!r} holds Python objects and has no digest",
            why="only values with a canonical form can be compared between runs",
            next_command="cast the column to text or numbers in the data source, then run again",
        )
    if isinstance(dtype, pl.Struct):
        for field in column.struct.fields:
            yield from _parts(column.struct.field(field))
    elif isinstance(dtype, (pl.List, pl.Array)):
        lists = column.arr.to_list() if isinstance(dtype, pl.Array) else column
        lengths = lists.list.len().fill_null(0)
        yield _buffer(lengths.cast(pl.UInt64))
        yield from _parts(lists.filter(lengths > 0).explode())
    elif isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Decimal)):
        yield from _text(column.cast(pl.String).fill_null(""))
    elif isinstance(dtype, pl.Binary):
        yield from _text(column.bin.encode("hex").fill_null(""))
    else:
        values = column.to_physical()
        if dtype.is_float():
            values = values.fill_nan(float("nan"))
        yield _buffer(values.fill_null(False if dtype == pl.Boolean else 0))


def _text(column: pl.Series) -> Iterator[bytes | memoryview]:
    yield _buffer(column.str.len_bytes().cast(pl.UInt32))
    yield str(column.str.join("").item()).encode()


def _buffer(values: pl.Series) -> memoryview:
    array = values.rechunk().to_numpy()
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).view(np.uint8).data
