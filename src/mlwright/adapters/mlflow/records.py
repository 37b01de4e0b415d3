"""What every form of an MLflow store tells, in one shape, and what it means as facts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from mlwright.model.running import RunFact, ServerFacts, VersionFact

MOST_EXPERIMENTS: Final = 50
MOST_RUNS: Final = 500
MOST_MODELS: Final = 200
MOST_VERSIONS: Final = 500

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_000  # the end of year 9999, beyond which Python has no dates
# Names under which teams keep the version of their data by hand, where they do not log a data set.
_DATA_VERSION: Final = re.compile(
    r"(data(set)?|dvc|delta|lakefs)[._\- /]?(version|digest|hash|rev|revision|sha\d*|md5|snapshot|commit|tag)s?$"
    r"|^dvc[._\-]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run; instants in milliseconds since 1970. ``datasets`` and ``models`` are how many it logged."""

    id: str
    experiment: str
    name: str
    status: str
    start_ms: int
    end_ms: int | None
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: int = 0
    models: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One model version. ``stage`` is the word that came before aliases ("Production"), "" or "None" without."""

    model: str
    version: str
    created_ms: int
    run: str = ""
    stage: str = ""
    described: bool = False
    aliases: tuple[str, ...] = ()
    signature: bool | None = None


def facts_of(
    source: str,
    seen: datetime,
    runs: Iterable[RunRecord],
    versions: Iterable[VersionRecord],
    notes: Sequence[str] = (),
) -> ServerFacts:
    """The facts, sorted. MLflow knows nothing of gates, rollouts, endpoints, contract checks: those stay None."""
    facts = sorted((_run(each) for each in runs), key=lambda run: run.id)
    facts.sort(key=lambda run: run.started, reverse=True)
    measured = {run.id: bool(run.metrics) for run in facts}
    registered = sorted((_version(each, measured) for each in versions), key=_by_number, reverse=True)
    registered.sort(key=lambda version: version.model)
    return ServerFacts(
        source=source, seen=seen, runs=tuple(facts), versions=tuple(registered), notes=tuple(sorted(notes))
    )


def _run(record: RunRecord) -> RunFact:
    tags = record.tags
    named = sum(1 for name in {*record.params, *tags} if _DATA_VERSION.search(name))
    return RunFact(
        id=record.id,
        experiment=record.experiment,
        pipeline=tags.get("mlflow.source.name") or record.name,
        status=record.status,
        started=_instant(record.start_ms),
        ended=None if record.end_ms is None else _instant(record.end_ms),
        commit=tags.get("mlflow.source.git.commit") or tags.get("mlflow.git.commit") or "",
        dirty=_truth(tags.get("mlflow.source.git.dirty") or tags.get("mlflow.git.dirty")),
        environment=_environment(record),
        datasets=record.datasets or named,
        metrics=tuple(sorted(record.metrics)),
        params=tuple(sorted(record.params)),
        scheduled=_scheduled(tags),
    )


def _environment(record: RunRecord) -> bool | None:
    """A logged model carries its requirements; projects and jobs name an environment. Else a file may hold it."""
    names = ("mlflow.log-model.history", "mlflow.project.env", "mlflow.docker.image.name")
    known = record.models > 0 or any(record.tags.get(name) for name in names)
    return True if known else None


def _scheduled(tags: Mapping[str, str]) -> bool | None:
    if tags.get("mlflow.databricks.jobTriggerType", "").upper() in ("PERIODIC", "FILE_ARRIVAL", "TABLE"):
        return True
    if tags.get("mlflow.source.type") == "NOTEBOOK":
        return False
    # A local script may have been started by cron as well as by hand.
    return None


def _version(record: VersionRecord, measured: Mapping[str, bool]) -> VersionFact:
    stage = record.stage.lower()
    aliases = {*record.aliases, *((stage,) if stage in ("production", "staging") else ())}
    return VersionFact(
        model=record.model,
        version=record.version,
        created=_instant(record.created_ms),
        aliases=tuple(sorted(aliases)),
        run=record.run,
        signature=record.signature,
        described=record.described,
        # Metrics may also stand with the logged model, which is not read: their absence here says nothing.
        evaluated=True if measured.get(record.run) else None,
    )


def _by_number(version: VersionFact) -> tuple[datetime, int, str]:
    number = version.version
    return version.created, int(number) if number.isdecimal() and len(number) < 10 else 0, number


def _instant(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), _LAST_MS))


def _truth(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").strip().lower())
