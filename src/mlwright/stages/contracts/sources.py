"""Read a data set from where ``mlwright.toml`` says it is."""

import glob
import gzip
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from mlwright.errors import DataError, MlwrightError, near_match
from mlwright.model.contracts import Contract
from mlwright.stages.contracts.delimited import parse_csv

_FUNCTION = re.compile(r"(?P<file>[^:]+\.py):(?P<function>[A-Za-z_]\w*)")
_FORMS = ".parquet, .csv, .csv.gz, .csv.zip, or 'file.py:function'"


def read_source(
    source: str, root: Path, call: Callable[[Path, str], object], *, contract: Contract | None = None
) -> pl.DataFrame:
    """Read all rows of a source.

    Args:
        source: a path or glob of Parquet or CSV files, relative to ``root`` (several files are one data set
        in
            the order of their names), or ``module.py:function``.
        root: the project's folder.
        call: imports the file and calls the function of that name.
        contract: gives the types of CSV columns; without it they are inferred from all rows.

    Returns:
        The rows. Instants in CSV columns that the contract calls timestamps come as UTC.

    Raises:
        DataError: nothing is there, or it cannot be read; names file, line and column where it can.
    """
    function = _FUNCTION.fullmatch(source)
    if function:
        return _from_function(source, root / function["file"], function["function"], call)
    paths = _paths(source, root)
    frames = [_read_file(path, contract) for path in paths]
    return frames[0] if len(frames) == 1 else _concatenate(paths, frames)


def _paths(source: str, root: Path) -> list[Path]:
    pattern = str(root / source)
    if glob.has_magic(source):
        paths = [Path(found) for found in sorted(glob.glob(pattern, recursive=True)) if Path(found).is_file()]
        if paths:
            return paths
        raise DataError(
            f"no file matches {source!r}",
            where=str(root),
            next_command="correct 'source' of this dataset in mlwright.toml",
        )
    path = Path(pattern)
    if path.is_file():
        return [path]
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = near_match(path.name, beside)
    raise DataError(
        "there is no such file" + (f"; did you mean {near!r}?" if near else ""),
        where=str(path),
        why=f"a source is {_FORMS}",
        next_command="correct 'source' of this dataset in mlwright.toml",
    )


def _read_file(path: Path, contract: Contract | None) -> pl.DataFrame:
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path, glob=False)
        if name.endswith(".csv"):
            return parse_csv(path.read_bytes(), path, contract)
        if name.endswith(".csv.gz"):
            return parse_csv(gzip.decompress(path.read_bytes()), path, contract)
        if name.endswith(".zip"):
            return parse_csv(_only_member(path), path, contract)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        raise DataError(
            "the file cannot be read",
            where=str(path),
            why=str(error).partition("\n")[0],
            next_command="replace the file, then run again",
        ) from error
    raise DataError(
        "files of this kind cannot be read",
        where=str(path),
        why=f"a source is {_FORMS}",
        next_command="write a function that returns a polars DataFrame and name it as 'data.py:function'",
    )


def _only_member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [
            name
            for name in archive.namelist()
            if name.lower().endswith(".csv") and not name.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            raise DataError(
                f"the archive holds {len(members)} CSV files, and one is needed",
                where=str(path),
                why=", ".join(members[:5]) or None,
                next_command="unpack it and give a glob as 'source' in mlwright.toml",
            )
        return archive.read(members[0])


def _concatenate(paths: list[Path], frames: list[pl.DataFrame]) -> pl.DataFrame:
    first = frames[0].columns
    for path, frame in zip(paths, frames, strict=True):
        if frame.columns != first:
            odd = sorted(set(first) ^ set(frame.columns)) or ["their order"]
            raise DataError(
                f"the columns differ from those of {paths[0].name}: {', '.join(odd)}",
                where=str(path),
                why="several files of one source are read as one table",
                next_command="narrow the glob of this dataset in mlwright.toml",
            )
    try:
        return pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            "the files of this source have different types",
            where=f"{paths[0]} … {paths[-1].name}",
            why=str(error).partition("\n")[0],
            next_command="name the types in the dataset's contract, or narrow the glob",
        ) from error


def _from_function(source: str, path: Path, name: str, call: Callable[[Path, str], object]) -> pl.DataFrame:
    if not path.is_file():
        near = near_match(path.name, [entry.name for entry in path.parent.glob("*.py")])
        raise DataError(
            "there is no such file" + (f"; did you mean {near!r}?" if near else ""),
            where=str(path),
            next_command="correct 'source' of this dataset in mlwright.toml",
        )
    try:
        result = call(path, name)
    except MlwrightError:
        raise
    except Exception as error:
        raise DataError(
            f"{source} raised {type(error).__name__}: {error}",
            where=str(path),
            next_command=f"correct {name} in {path.name}, then run again",
        ) from error
    if isinstance(result, pl.LazyFrame):
        return result.collect()
    if isinstance(result, pl.DataFrame):
        return result
    if hasattr(result, "iloc"):
        return _from_pandas(result, source)
    raise DataError(
        f"{source} returned {type(result).__name__}, not a polars DataFrame",
        where=str(path),
        next_command=f"return a polars DataFrame from {name}",
    )


def _from_pandas(result: object, source: str) -> pl.DataFrame:
    try:
        frame = pl.from_pandas(result)
    except (ImportError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{source} returned a pandas object that polars cannot take",
            why=str(error).partition("\n")[0],
            next_command="return a polars DataFrame",
        ) from error
    if not isinstance(frame, pl.DataFrame):
        raise DataError(
            f"{source} returned a pandas Series, not a table", next_command="return a polars DataFrame"
        )
    return frame
