"""Cutting files into chunks: rows of a table by their numbers, lines by their bytes."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import polars as pl

from mlwright.errors import DataError
from mlwright.stages.serving.batch.job import Chunk, Plan

_BLOCK: Final = 8 << 20
_HEAD: Final = 1000
_QUOTE: Final = ord('"')
_NEWLINE: Final = ord("\n")
_BOM: Final = b"\xef\xbb\xbf"


def cut(path: str, kind: str, source: int, part: int, chunk_rows: int, most: int) -> Plan:
    """How a file is read in chunks.

    Args:
        path: the file, on this machine.
        kind: how it is read: a value of ``FORMATS``.
        source: its number among the files of the job.
        part: the number of the first part.
        chunk_rows: how many rows a chunk has, but for the last.
        most: how many rows are wanted at most.

    Raises:
        DataError: the file is not what its name says.
    """
    try:
        if kind in ("parquet", "ipc"):
            table = pl.scan_parquet(path, glob=False) if kind == "parquet" else pl.scan_ipc(path, glob=False)
            columns = table.collect_schema().names()
            rows = min(int(table.select(pl.len()).collect().item()), most)
            chunks = [
                Chunk(part=part + number, source=source, start=start, rows=min(chunk_rows, rows - start))
                for number, start in enumerate(range(0, rows, chunk_rows))
            ]
            return Plan(columns=columns, rows=rows, chunks=chunks)
        return _lines(path, kind, source, part, chunk_rows, most)
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise DataError("the file cannot be read", where=path, why=str(error).partition("\n")[0]) from error


def _lines(path: str, kind: str, source: int, part: int, chunk_rows: int, most: int) -> Plan:
    with Path(path).open("rb") as file:
        header = _header(file) if kind == "csv" else 0
        file.seek(0)
        columns, kinds = (_csv_names(file.read(header), path), {}) if kind == "csv" else _head(file)
        chunks: list[Chunk] = []
        begin, start = header, 0
        for row, end in _ends(file, header, quoted=kind == "csv", step=chunk_rows, most=most):
            chunks.append(
                Chunk(
                    part=part + len(chunks),
                    source=source,
                    start=start,
                    rows=row - start,
                    begin=begin,
                    end=end,
                )
            )
            start, begin = row, end
    return Plan(columns=columns, kinds=kinds, header=header, rows=start, chunks=chunks)


def _header(file: BinaryIO) -> int:
    """Where the first record of a CSV ends."""
    return next((end for _, end in _ends(file, 0, quoted=True, step=1, most=1)), 0)


def _csv_names(header: bytes, path: str) -> list[str]:
    if not header.strip():
        raise DataError("the CSV has no header", where=path)
    names = next(csv.reader([header.removeprefix(_BOM).decode("utf-8").rstrip("\r\n")]))
    if len(set(names)) < len(names):
        raise DataError("two columns of the CSV have one name", where=path, why=", ".join(names[:20]))
    return names


def _ends(file: BinaryIO, begin: int, *, quoted: bool, step: int, most: int) -> Iterator[tuple[int, int]]:
    """After each ``step`` records, and after the last one: how many there were, and where the last of them ends."""
    file.seek(begin)
    at, rows, inside, told = begin, 0, 0, begin
    last = b""
    while block := file.read(_BLOCK):
        last = block
        data = np.frombuffer(block, dtype=np.uint8)
        newlines = data == _NEWLINE
        if quoted and (inside or (data == _QUOTE).any()):
            parity = np.cumsum(data == _QUOTE, dtype=np.int64) + inside
            newlines &= (parity & 1) == 0
            inside = int(parity[-1] & 1)
        ends = np.flatnonzero(newlines)
        taken = 0
        while (due := min(step - rows % step, most - rows)) <= len(ends) - taken:
            taken, rows = taken + due, rows + due
            told = at + int(ends[taken - 1]) + 1
            yield rows, told
            if rows >= most:
                return
        rows += len(ends) - taken
        at += len(block)
    if at > told:  # the rest, whose last record may lack its newline
        yield rows + (not last.endswith(b"\n")), at


def _head(file: BinaryIO) -> tuple[list[str], dict[str, str]]:
    """The names in the first rows of NDJSON, and what their values are."""
    found: dict[str, set[type]] = {}
    for number, line in enumerate(file):
        if number >= _HEAD:
            break
        try:
            row: Any = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(row, dict):
            for name, value in row.items():
                found.setdefault(name, set()).add(type(value))
    return list(found), {name: _kind(types - {type(None)}) for name, types in found.items()}


def _kind(types: set[type]) -> str:
    for kind, allowed in (
        ("text", {str}),
        ("boolean", {bool}),
        ("whole", {int}),
        ("number", {int, float}),
    ):
        if types and types <= allowed:
            return kind
    return "json"
