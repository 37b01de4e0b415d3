"""Which runs and prompts traces belong to, besides what their clients said. The caller owns every transaction."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from mlwright.errors import UsageError
from mlwright.model.ids import RunId
from mlwright.stages.tracking.experiments import insert
from mlwright.stages.tracking.runs import find_run
from mlwright.stages.tracking.trace_tables import trace_prompts, trace_runs, traces
from mlwright.stages.tracking.traces import find_trace

_LINKS_AT_ONCE: Final = 100
_AT_ONCE: Final = 500


def link_to_run(tx: Connection, ids: Sequence[str], run: RunId) -> None:
    """Say that traces belong to a run besides that in which they were made. Unknown traces are passed over.

    Raises:
        NotFound: there is no such run.
        UsageError: more than 100 traces at once.
    """
    if len(ids) > _LINKS_AT_ONCE:
        raise UsageError(
            f"Cannot link more than {_LINKS_AT_ONCE} traces to a run in a single request. Provided {len(ids)} traces."
        )
    if not ids:
        return
    key = find_run(tx, run)
    known = tx.execute(select(traces.c.number).where(traces.c.id.in_(ids))).scalars()
    rows = [{"trace": number, "run": key.number} for number in known]
    if rows:
        tx.execute(insert(tx, trace_runs).on_conflict_do_nothing(), rows)


def link_prompts(tx: Connection, id: str, prompts: Sequence[tuple[str, str]]) -> None:
    """Say which versions of prompts a trace used.

    Args:
        tx: a writing transaction.
        id: the trace.
        prompts: names with versions.

    Raises:
        NotFound: there is no such trace.
    """
    if prompts:
        number = find_trace(tx, id)
        rows = [{"trace": number, "name": name, "version": version} for name, version in prompts]
        tx.execute(insert(tx, trace_prompts).on_conflict_do_nothing(), rows)
