"""Runs are started by a schedule or an alert, not only by a person."""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import count, days_before, finished, recent, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_FEWEST: Final = 5


def look(repository: Repository) -> Answer:
    """Look for runs that no person started; FALSE only after five runs by hand, the oldest over 35 days ago."""
    server = server_of(repository)
    runs = finished(server)
    alone = [run for run in runs.items if run.scheduled]
    if alone:
        latest = max(alone, key=lambda run: (run.started, run.id))
        age = days_before(latest.started, server.seen)
        of = f"of the {count(len(runs.items), 'newest finished run')} in {server.source}"
        evidence = f"{of} {len(alone)} started without a person, the latest {count(age, 'day')} before"
        return yes(evidence, scheduled=len(alone), age_days=age)
    by_hand = [run for run in runs.items if run.scheduled is False]
    if len(by_hand) < max(_FEWEST, len(runs.items)) or recent(by_hand[-1].started, server.seen):
        return unknown(
            f"{server.source}: what started its {len(runs.items)} newest finished runs cannot be told yet"
        )
    return no(
        f"all of the {len(by_hand)} newest finished runs in {server.source} were started by hand",
        runs=len(by_hand),
    )


PROBE = Probe(
    id="running.runs_scheduled",
    title="runs are started by a schedule or an alert, not only by a person",
    why="Training that waits for somebody to think of it stops when that person is away.",
    remedy=(
        'retrain = { …, on = ["schedule:monthly"] } in mlwright.toml and mlwright up; or a '
        "schedule of the orchestrator"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Google, MLOps: Continuous delivery and automation pipelines, level 1",
)
