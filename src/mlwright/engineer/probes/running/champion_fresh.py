"""The version in force is at most 180 days old."""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import days_before, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_OLDEST_DAYS: Final = 180
_IN_FORCE: Final = ("champion", "production", "prod", "live")


def _ages(server: ServerFacts) -> list[tuple[str, float]]:
    if server.endpoints is not None:
        return [
            (each.champion, each.champion_age_days)
            for each in server.endpoints
            if each.released and each.champion and each.champion_age_days is not None
        ]
    return [
        (f"{each.model}/{each.version}", float(days_before(each.created, server.seen)))
        for each in server.versions
        if any(alias.lower() in _IN_FORCE for alias in each.aliases)
    ]


def look(repository: Repository) -> Answer:
    """See how old the versions in force are: the endpoints' champions, or what an alias says."""
    server = server_of(repository)
    ages = _ages(server)
    if not ages:
        return unknown(f"{server.source} does not say which version is in force")
    name, age = max(ages, key=lambda each: (each[1], each[0]))
    evidence = (
        f"the oldest of {len(ages)} versions in force in {server.source}, {name}, is {age:.0f} days old"
    )
    answer = no if age > _OLDEST_DAYS else yes
    return answer(evidence, age_days=round(age, 1), limit_days=_OLDEST_DAYS, version=name)


PROBE = Probe(
    id="running.champion_fresh",
    title="the version in force is at most 180 days old",
    why="The world that a model learned from is not the one that it answers in half a year later.",
    remedy="mlwright retrain ENDPOINT, or train anew and promote",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Monitor 4",
)
