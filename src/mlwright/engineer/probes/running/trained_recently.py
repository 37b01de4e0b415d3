"""A model was trained within the last 35 days."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import RECENT, count, days_before, finished, recent, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """See when the newest finished run ended."""
    server = server_of(repository)
    runs = finished(server).items
    if not runs:
        return unknown(f"{server.source} has no finished run")
    latest = max(runs, key=lambda run: (run.ended or run.started, run.id))
    at = latest.ended or latest.started
    age = days_before(at, server.seen)
    when = f"{count(age, 'day')} before ({at:%Y-%m-%d})"
    evidence = f"{server.source}: the newest finished run, {latest.id}, ended {when}"
    answer = yes if recent(at, server.seen) else no
    return answer(evidence, run=latest.id, age_days=age, limit_days=RECENT.days)


PROBE = Probe(
    id="running.trained_recently",
    title="a model was trained within the last 35 days",
    why=(
        "What was last trained long ago may not be trainable today: packages, data and people have moved on."
    ),
    remedy=(
        'train on a schedule: retrain = { …, on = ["schedule:monthly"] } in mlwright.toml, or a '
        "job of the orchestrator"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Monitor 4",
)
