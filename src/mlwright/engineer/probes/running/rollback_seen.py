"""A rollback has been done."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.probes.running._records import count, days_before, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a rollout that went back. None is no fault: there may have been no reason."""
    server = server_of(repository)
    if server.rollouts is None:
        return unknown(f"{server.source} does not know of rollouts")
    back = sorted(
        (each for each in server.rollouts if each.state in ("rolled_back", "aborted")),
        key=lambda each: (each.started, each.endpoint),
    )
    if not back:
        return unknown(
            f"{server.source}: of {count(len(server.rollouts), 'rollout')} none went back",
            rollouts=len(server.rollouts),
        )
    age = days_before(back[-1].started, server.seen)
    latest = f"the latest, at {back[-1].endpoint}, began {count(age, 'day')} before"
    evidence = f"{server.source}: {count(len(back), 'rollout')} went back; {latest}"
    return yes(evidence, rolled_back=len(back), age_days=age)


PROBE = Probe(
    id="running.rollback_seen",
    title="a rollback has been done",
    why="A way back that was never taken is a plan, and plans fail at night.",
    remedy=(
        "roll a version out that must fail, and see it rolled back; or mlwright rollout abort "
        "ENDPOINT as a drill"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Infra 7",
)
