"""New versions are judged on live traffic before they answer everybody."""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import count, days_before, named, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_JUDGED: Final = ("promoted", "rolled_back", "inconclusive")


def look(repository: Repository) -> Answer:
    """Look for a rollout with a verdict; FALSE only where a version has replaced another without one."""
    server = server_of(repository)
    if server.rollouts is None:
        return unknown(f"{server.source} does not know of rollouts")
    judged = sorted(
        (each for each in server.rollouts if each.state in _JUDGED),
        key=lambda each: (each.started, each.endpoint),
    )
    if judged:
        last = judged[-1]
        age = days_before(last.started, server.seen)
        latest = f"the latest, at {last.endpoint}, began {count(age, 'day')} before and ended {last.state}"
        evidence = f"{server.source}: {count(len(judged), 'rollout')} judged; {latest}"
        return yes(evidence, judged=len(judged), age_days=age)
    if any(each.state == "running" for each in server.rollouts):
        return unknown(f"{server.source}: a rollout is under way, none was judged yet")
    replaced = sorted(each.name for each in server.endpoints or () if each.released > 1)
    if not replaced:
        return unknown(f"{server.source}: no version has replaced another yet")
    return no(
        f"{server.source}: more than one version has answered at {named(replaced)}, and no rollout judged one",
        endpoints=len(replaced),
    )


PROBE = Probe(
    id="running.rollouts_judged",
    title="new versions are judged on live traffic before they answer everybody",
    why="What went wrong with the last new version was found by its users.",
    remedy=(
        'give the endpoint rollout = { steps = ["shadow", "10%", "50%"] } and release with '
        "mlwright rollout start ENDPOINT VERSION"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.DAYS,
    source="Breck et al. 2017, The ML Test Score, Infra 6",
)
