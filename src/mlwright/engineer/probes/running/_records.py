"""How records are judged: how many of the newest have something, and how old the newest is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact, RunFact, ServerFacts, VersionFact
from mlwright.engineer.probe import Answer, no, unknown, yes

RECENT: Final = timedelta(days=35)
"""What happens monthly has happened within this."""
SHARE: Final = 0.8
"""The part of the newest records that makes a habit."""
MANY: Final = 100
"""So many predictions without a label are no accident."""
NEWEST: Final = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records(Generic[T]):
    """The newest records of one kind: what they are called, and how one is named."""

    items: tuple[T, ...]
    word: str
    name: Callable[[T], str]
    source: str


def server_of(repository: Repository) -> ServerFacts:
    """What was asked; the probes are asked only where it is there."""
    if repository.server is None:
        raise ValueError("no server was asked")
    return repository.server


def finished(server: ServerFacts) -> Records[RunFact]:
    """The newest finished runs."""
    runs = sorted((run for run in server.runs if run.status == "FINISHED"), key=lambda run: run.id)
    runs.sort(key=lambda run: run.started, reverse=True)
    return Records(
        items=tuple(runs[:NEWEST]), word="finished run", name=lambda run: run.id, source=server.source
    )


def registered(server: ServerFacts) -> Records[VersionFact]:
    """The newest model versions."""
    versions = sorted(server.versions, key=lambda each: (each.model, each.version))
    versions.sort(key=lambda each: each.created, reverse=True)
    return Records(
        items=tuple(versions[:NEWEST]),
        word="model version",
        name=lambda each: f"{each.model}/{each.version}",
        source=server.source,
    )


def share(records: Records[T], has: Callable[[T], bool | None], doing: str) -> Answer:
    """Whether most of the records have it; unknown where that hangs on those that cannot tell.

    Args:
        records: what is counted.
        has: whether one has it, None where it cannot tell.
        doing: what they do then, as "name the commit they ran on".
    """
    if not records.items:
        return unknown(f"{records.source} has no {records.word}")
    told = [(each, has(each)) for each in records.items]
    good = sum(1 for _, answer in told if answer is True)
    bad = [records.name(each) for each, answer in told if answer is False]
    total = len(told)
    evidence = f"of the {count(total, f'newest {records.word}')} in {records.source} {good} {doing}"
    if bad:
        evidence += f"; not {named(bad)}"
    values = {"records": total, "hold": good, "fail": len(bad), "needed_share": SHARE}
    if good >= SHARE * total:
        return yes(evidence, **values)
    if len(bad) > (1 - SHARE) * total:
        return no(evidence, **values)
    return unknown(f"{evidence}; {total - good - len(bad)} cannot tell", **values)


def named(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def count(number: int, word: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def days_before(instant: datetime, seen: datetime) -> int:
    """Whole days from an instant to the one of the look; 0 for what a fast clock puts after it."""
    return max((seen - instant).days, 0)


def recent(instant: datetime | None, seen: datetime) -> bool:
    """Whether it happened within the last 35 days."""
    return instant is not None and seen - instant <= RECENT


def over_endpoints(
    server: ServerFacts, look: Callable[[EndpointFact], Answer], nothing: str = "it serves nothing"
) -> Answer:
    """One answer from one of each endpoint: any FALSE is the answer, TRUE needs one TRUE and nothing unknown."""
    if server.endpoints is None:
        return unknown(f"{server.source} does not know what is served")
    if not server.endpoints:
        return unknown(f"{server.source}: {nothing}")
    answers = [look(each) for each in sorted(server.endpoints, key=lambda endpoint: endpoint.name)]
    for make in (no, unknown, yes):
        chosen = [each for each in answers if each.outcome is make("").outcome]
        if chosen:
            values = {key: value for each in reversed(chosen) for key, value in each.values.items()}
            return make(_joined(each.evidence for each in chosen), **values)
    return answers[0]


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts)
