"""Where data comes from: calls that read tables, and data sets that a library brings along."""

from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile, Role
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.repository import Repository

TABLE_READERS: Final = (
    *(f"{package}.read_{kind}" for package in ("pandas", "modin.pandas", "cudf") for kind in (
        "csv", "parquet", "sql*", "excel", "json", "feather", "table", "orc", "gbq", "stata", "sas", "fwf", "hdf",
    )),
    "polars.read_*",
    "polars.scan_*",
    "dask.dataframe.read_*",
    "geopandas.read_*",
    "pandas_gbq.read_gbq",
    "duckdb.read_*",
    "pyarrow.parquet.read_table",
    "pyarrow.dataset.dataset",
    "awswrangler.*.read_*",
    "deltalake.DeltaTable",
    "vaex.open",
    "*spark*.read.*",
    "*spark*.table",
    "*spark*.sql",
)  # fmt: skip
"""Dotted names (shell patterns) of calls that give a table with columns."""

BUNDLED: Final = (
    "sklearn.datasets.load_*",
    "sklearn.datasets.fetch_*",
    "sklearn.datasets.make_*",
    "torchvision.datasets.*",
    "torchtext.datasets.*",
    "torchaudio.datasets.*",
    "torch_geometric.datasets.*",
    "tensorflow.keras.datasets.*",
    "keras.datasets.*",
    "tensorflow_datasets.load",
    "seaborn.load_dataset",
    "ucimlrepo.fetch_ucirepo",
)
"""Public data sets that a library names and fetches, or makes up."""

DATA_SUFFIXES: Final = (
    ".csv", ".tsv", ".parquet", ".feather", ".arrow", ".orc", ".avro", ".jsonl", ".ndjson", ".xlsx", ".xls", ".npy",
    ".npz", ".h5", ".hdf5", ".tfrecord", ".sas7bdat", ".dta", ".mdb", ".lmdb", ".sqlite", ".sqlite3", ".db",
    ".csv.gz", ".csv.zip", ".csv.bz2", ".tsv.gz", ".json.gz", ".jsonl.gz",
)  # fmt: skip

_IN_MEMORY: Final = ("StringIO(", "io.StringIO(", "BytesIO(", "io.BytesIO(")

NO_TABLES: Final = "no table with columns is read here; for images, text and arrays this probe knows no rule"


@remembered
def code(repository: Repository) -> tuple[PythonFile, ...]:
    """Production code and the project's own tools: where training is written."""
    return tuple(each for each in repository.python if each.role in (Role.PRODUCTION, Role.TOOL))


def table_reads(repository: Repository) -> Iterator[tuple[PythonFile, Call]]:
    """The calls of production code that read a table; what was in memory already is no source."""
    return iter(_table_reads(repository))


@remembered
def _table_reads(repository: Repository) -> tuple[tuple[PythonFile, Call], ...]:
    return tuple(
        (file, call)
        for file, call in repository.calls(*TABLE_READERS)
        if not call.args or not call.args[0].text.startswith(_IN_MEMORY)
    )


def reads_tables(repository: Repository) -> bool:
    """Whether production code reads a table, or a project of ours declares one."""
    return next(table_reads(repository), None) is not None or any(
        isinstance(each.get("dataset"), list)
        for each in repository.documents
        if each.path.endswith("mlwright.toml")
    )


@remembered
def only_bundled(repository: Repository) -> bool:
    """Whether the only data seen is public and comes with a library."""
    bundled = [call for _, call in repository.calls(*BUNDLED)]
    own = any(
        "Folder" in call.name for call in bundled
    )  # torchvision.datasets.ImageFolder reads a folder of yours
    return bool(bundled) and not own and not reads_tables(repository)


def literal(call: Call) -> str:
    """The first positional argument where it is a text, else ""."""
    first = next((each for each in call.args if each.keyword is None), None)
    return first.value if first is not None and isinstance(first.value, str) else ""
