"""The Parquet files of neptune-exporter, one row a value: read by attribute type, in pieces that fit into memory.

Columns as in the exporter's ``model.py``: project_id, run_id, attribute_path, attribute_type, step (decimal 18,6),
timestamp (ms, UTC), and one column a kind of value.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import polars as pl

from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.notes import Notes, Unreadable

NAMES: Final = ("project_id", "run_id", "attribute_path", "attribute_type")
_INSTANT: Final = pl.Datetime("ms", "UTC")
_VALUES: Final[dict[str, pl.DataType]] = {
    "step": pl.Float64(),
    "timestamp": _INSTANT,
    "int_value": pl.Int64(),
    "float_value": pl.Float64(),
    "string_value": pl.String(),
    "bool_value": pl.Boolean(),
    "datetime_value": _INSTANT,
    "string_set_value": pl.List(pl.String()),
}
_MOST_ROWS: Final = 500_000_000
_MOST_SINGLE: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A value that a run has once: path, type, and the value as Python knows it; instants in milliseconds."""

    path: str
    type: str
    value: object


class RunTable:
    """All rows of one run: some files, and its project's and its own name in them."""

    def __init__(self, frame: pl.LazyFrame, project: str, run: str) -> None:
        self.project, self.run = project, run
        self._rows = frame.filter((pl.col("project_id") == project) & (pl.col("run_id") == run))

    def singles(self, types: Sequence[str]) -> Iterator[Single]:
        """Values that are no series, by their paths.

        Raises:
            Unreadable: a file is damaged.
        """
        rows = self._of(types).select(
            "attribute_path",
            "attribute_type",
            "int_value",
            "float_value",
            "string_value",
            "bool_value",
            pl.col("datetime_value").dt.epoch("ms"),
            pl.col("string_set_value").list.sort().list.join(", "),
        )
        for path, kind, *values in collected(rows.head(_MOST_SINGLE)).sort("attribute_path").iter_rows():
            value = next((each for each in values if each is not None), None)
            yield Single(path=str(path or ""), type=str(kind), value=value)

    def counts(self, kind: str) -> dict[str, int]:
        """How many rows each attribute of a type has, by its path.

        Raises:
            Unreadable: a file is damaged.
        """
        rows = collected(self._of([kind]).group_by("attribute_path").agg(pl.len()))
        return {str(path): int(count) for path, count in rows.sort("attribute_path").iter_rows() if path}

    def points(self, paths: Sequence[str]) -> pl.DataFrame:
        """Path, step, at_ms and value of number series, in the order in which they are stored.

        Raises:
            Unreadable: a file is damaged.
        """
        wanted = pl.col("attribute_path").is_in(list(paths)) & pl.col("float_value").is_not_null()
        rows = self._of(["float_series"]).filter(wanted)
        at_ms = pl.col("timestamp").dt.epoch("ms").fill_null(0).alias("at_ms")
        return collected(rows.select("attribute_path", pl.col("step").fill_null(0.0), at_ms, "float_value"))

    def lines(self, path: str, most: int) -> pl.DataFrame:
        """Step, at_ms and text of one series of texts, by step.

        Raises:
            Unreadable: a file is damaged.
        """
        rows = self._of(["string_series"]).filter(pl.col("attribute_path") == path)
        at_ms = pl.col("timestamp").dt.epoch("ms").fill_null(0).alias("at_ms")
        return collected(rows.select("step", at_ms, "string_value").head(most)).sort("step", "at_ms")

    def files(self) -> Iterator[tuple[str, str, float | None, str]]:
        """Path, type, step and the place below the exported files, of everything that is a file.

        Raises:
            Unreadable: a file is damaged.
        """
        rows = self._of(["file", "artifact", "file_series", "file_set"])
        chosen = rows.select("attribute_path", "attribute_type", "step", "file").drop_nulls(
            ["attribute_path", "file"]
        )
        yield from collected(chosen.head(_MOST_SINGLE)).sort("attribute_path", "step", "file").iter_rows()

    def _of(self, types: Sequence[str]) -> pl.LazyFrame:
        return self._rows.filter(pl.col("attribute_type").is_in(list(types)))


def tables(folder: Confined, parts: Sequence[str], notes: Notes) -> list[RunTable]:
    """The runs in some files that belong together; a file that cannot be read is noted."""
    frames = []
    for part in parts:
        try:
            frames.append(_frame(folder, part))
        except Unreadable as error:
            notes.add("a Parquet file", part, str(error))
    if not frames:
        return []
    frame = pl.concat(frames)
    try:
        met = (
            collected(frame.select("project_id", "run_id").unique()).drop_nulls().sort("project_id", "run_id")
        )
    except Unreadable as error:
        notes.add("a run", parts[0], str(error))
        return []
    return [RunTable(frame, str(project), str(run)) for project, run in met.iter_rows()]


def _frame(folder: Confined, part: str) -> pl.LazyFrame:
    if not folder.is_file(part):
        raise Unreadable("it is gone, or a link")
    path = folder.root / part
    with _reading():
        scanned = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = scanned.collect_schema()
        missing = [name for name in NAMES if name not in schema]
        if missing:
            raise Unreadable(f"it has no column {missing[0]}: neptune-exporter did not write it")
        rows = scanned.select(pl.len()).collect().item()
        if rows > _MOST_ROWS:
            raise Unreadable(f"it claims {rows} rows")
        columns = [pl.col(name).cast(pl.String) for name in NAMES]
        for name, kind in _VALUES.items():
            known = schema.get(name)
            # A column where all is null has the type of nothing in some writers.
            value = pl.lit(None) if known is None or known == pl.Null else pl.col(name)
            columns.append(value.cast(kind).alias(name))
        files = schema.get("file_value")
        inside = isinstance(files, pl.Struct) and "path" in {each.name for each in files.fields}
        path_in = pl.col("file_value").struct.field("path") if inside else pl.lit(None)
        columns.append(path_in.cast(pl.String).alias("file"))
        return scanned.select(columns)


def collected(frame: pl.LazyFrame) -> pl.DataFrame:
    """The rows.

    Raises:
        Unreadable: a file is damaged.
    """
    with _reading():
        return frame.collect()


@contextmanager
def _reading() -> Iterator[None]:
    # A damaged file makes the Parquet reader fail in many ways; the panic among them is no Exception.
    try:
        yield
    except Unreadable:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[:1]
        raise Unreadable(f"damaged: {first[0][:200] if first else type(error).__name__}") from error
