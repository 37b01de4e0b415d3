"""Removing for good what was deleted: experiments, runs and logged models, with everything that belongs to them."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, delete, or_, select

from mlwright.model.ids import RunId
from mlwright.model.tracking import Removed
from mlwright.stages.tracking import artifact_tables, trace_tables
from mlwright.stages.tracking.artifacts import delete_below, path_of_root, size_below
from mlwright.stages.tracking.experiments import DEFAULT_EXPERIMENT, ROOT
from mlwright.stages.tracking.model_tables import logged_models
from mlwright.stages.tracking.tables import experiments, metadata, runs

T = TypeVar("T")

# Imported so that the metadata knows every table that refers to what is removed.
_KNOWN: Final = (artifact_tables.files, trace_tables.traces)

_AT_ONCE: Final = 1000


def find_deleted(tx: Connection, before: int) -> Removed:
    """What was deleted at an instant (microseconds) or before it, and what belongs to a deleted experiment."""
    gone = select(experiments.c.id).where(
        experiments.c.deleted_at <= before, experiments.c.id != int(DEFAULT_EXPERIMENT)
    )
    numbers = list(tx.execute(gone.order_by(experiments.c.id)).scalars())
    found_runs, found_models, roots = [], [], []
    for row in tx.execute(
        select(runs.c.id, runs.c.artifact_root)
        .where(or_(runs.c.deleted_at <= before, runs.c.experiment.in_(gone)))
        .order_by(runs.c.number)
    ):
        found_runs.append(RunId(row.id))
        roots.append(row.artifact_root)
    for row in tx.execute(
        select(logged_models.c.id, logged_models.c.artifact_root)
        .where(or_(logged_models.c.deleted_at <= before, logged_models.c.experiment.in_(gone)))
        .order_by(logged_models.c.created_ms, logged_models.c.id)
    ):
        found_models.append(row.id)
        roots.append(row.artifact_root)
    roots += _own_roots(numbers)
    sizes = [size_below(tx, path) for path in _outermost(roots)]
    return Removed(
        experiments=tuple(map(str, numbers)),
        runs=tuple(found_runs),
        logged_models=tuple(found_models),
        files=sum(files for files, _ in sizes),
        size=sum(size for _, size in sizes),
        elsewhere=tuple(sorted({root for root in roots if not root.startswith(ROOT)})),
    )


def remove(tx: Connection, found: Removed) -> None:
    """Remove what was found, every row that belongs to it, and its artifacts by path."""
    roots: list[str] = []
    for table, ids in ((runs, found.runs), (logged_models, found.logged_models)):
        for some in _chunks(ids):
            which = table.c.id.in_(some)
            roots += tx.execute(select(table.c.artifact_root).where(which)).scalars()
            _remove(tx, table, which)
    numbers = tuple(map(int, found.experiments))
    for part in _chunks(numbers):
        _remove(tx, experiments, experiments.c.id.in_(part))
    roots += _own_roots(numbers)
    for path in _outermost(roots):
        delete_below(tx, path)


def _own_roots(numbers: Sequence[int]) -> list[str]:
    """Where only these experiments keep anything: a place that a client chose may be that of others too."""
    return [f"{ROOT}{number}" for number in numbers]


def _remove(tx: Connection, table: Table, which: ColumnElement[bool]) -> None:
    """Remove rows, and before them the rows of all tables that refer to them."""
    for other in metadata.sorted_tables:
        for reference in other.foreign_keys:
            if reference.column.table is table and other is not table:
                _remove(tx, other, reference.parent.in_(select(reference.column).where(which)))
    tx.execute(delete(table).where(which))


def _outermost(roots: Sequence[str]) -> list[str]:
    """Paths of the places that are with us, without those below another of them."""
    paths = {path_of_root(root) for root in roots if root.startswith(ROOT)} - {""}
    return sorted(path for path in paths if paths.isdisjoint(_above(path)))


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _chunks(listed: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]
