"""Tools that read a running project: rollout_status, compare_runs, lineage, query_metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from mlwright.doors.mcp.tool import Where
from mlwright.doors.mcp.workplace import Workplace
from mlwright.errors import NotFound, UsageError
from mlwright.model.durations import parse_duration
from mlwright.model.ids import RunId
from mlwright.model.joint_drift import JointDrift
from mlwright.model.ledger import Trace
from mlwright.model.monitoring import DriftReport, Performance
from mlwright.model.part_drift import DriftByPart
from mlwright.model.rollouts import Rollout
from mlwright.model.tracking import DatasetVersion, Run
from mlwright.model.windows import Window

EDGES: Final = 200
ROLLOUTS: Final = 5

Instant = Annotated[
    str, Field(description="A date or instant in ISO 8601 (UTC), or an age such as 7d or 12h.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus:
    """Rollouts under way and the latest others; without their histories of verdicts, which the command line shows."""

    running: tuple[Rollout, ...]
    recent: tuple[Rollout, ...]
    next: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCard:
    """One run without its parameters, metrics and environment."""

    id: str
    name: str
    status: str
    started: datetime
    ended: datetime | None
    actor: str
    error: str | None
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A parameter, tag, package or data set that differs; None where a run has none of that name."""

    name: str
    first: str | None
    second: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """A metric of both runs; ``change`` is second − first."""

    name: str
    first: float | None
    second: float | None
    change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two runs beside each other: every metric, and whatever else differs."""

    first: RunCard
    second: RunCard
    metrics: tuple[MetricChange, ...]
    params: tuple[Difference, ...]
    datasets: tuple[Difference, ...]
    packages: tuple[Difference, ...]
    same_code: bool | None
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a thing came from and what came of it."""

    trace: Trace
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Realised quality by window, oldest first, and drift of the latest windows where it was asked for."""

    performance: tuple[Performance, ...]
    drift: tuple[DriftReport, ...]
    drift_by_part: DriftByPart | None
    joint: tuple[JointDrift, ...]
    limits: tuple[str, ...]


class Operating:
    """Tools that read what a project recorded."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def rollout_status(
        self,
        endpoint: Annotated[str | None, Field(description="One endpoint; all without it.")] = None,
        path: Where = ".",
    ) -> RolloutStatus:
        """Tell how a canary or shadow rollout of a mlwright project stands: step, share of traffic, every guardrail
        with its interval, and the verdict PROMOTE, HOLD, ROLLBACK, INCONCLUSIVE or INVALID with its reason. Use it
        when somebody asks whether a new model version is safe, or why it was rolled back. It judges nothing anew and
        changes no traffic: promoting or aborting is for a person to order."""
        with self._place.platform(path) as platform:
            if endpoint is not None:
                platform.parts.endpoint(endpoint)
            found = platform.rollouts.list(endpoint, limit=50)
        running = tuple(replace(each, history=()) for each in found if not each.state.ended)
        ended = tuple(replace(each, history=()) for each in found if each.state.ended)
        return RolloutStatus(
            running=running,
            recent=ended[:ROLLOUTS],
            next=f"mlwright rollout status {running[0].endpoint}" if running else "mlwright rollout list",
            limits=("verdicts are those of the last turn of the loop, at last.at; nothing was judged now",),
        )

    def compare_runs(
        self,
        first: Annotated[str | None, Field(description="Id of a run; without both: the latest two.")] = None,
        second: Annotated[str | None, Field(description="Id of the other run.")] = None,
        path: Where = ".",
    ) -> Compared:
        """Put two training runs of a mlwright project beside each other: metrics with their change, parameters, data
        set versions, packages and code that differ. Use it to say what made a run better or worse, or to check that
        two runs can be compared at all. Without ids the latest two finished runs are taken (first is the older)."""
        with self._place.platform(path) as platform:
            training = platform.training
            if first is None or second is None:
                older, newer = _latest_two(training.list(limit=50), first, second)
                one, two = training.get(older), training.get(newer)
            else:
                one, two = training.get(RunId(first)), training.get(RunId(second))
        return _compared(one, two)

    def lineage(
        self,
        subject: Annotated[
            str,
            Field(description="A model version such as churn/3, or kind:id such as run:…, endpoint:churn."),
        ],
        path: Where = ".",
    ) -> Lineage:
        """Trace what a model version, run, data set or endpoint of a mlwright project came from and what came of it.
        Use it to answer which data and code stand behind a prediction, or what has to be rebuilt when a data set
        turns out to be wrong."""
        with self._place.platform(path) as platform:
            found = platform.records.trace(subject)
        cut = max(len(found.causes), len(found.effects)) > EDGES
        return Lineage(
            trace=replace(found, causes=found.causes[:EDGES], effects=found.effects[:EDGES]),
            limits=(f"only the first {EDGES} edges each way: mlwright trace {subject} shows all",)
            if cut
            else (),
        )

    def query_metrics(
        self,
        endpoint: str,
        by: Annotated[Literal["day", "month"], Field(description="Kept windows.")] = "day",
        start: Annotated[Instant | None, Field(description="From here on (ISO date or age as 30d).")] = None,
        end: Annotated[Instant | None, Field(description="Before this instant.")] = None,
        one_window: Annotated[
            bool, Field(description="Evaluate start to end anew as one window instead of listing kept ones.")
        ] = False,
        drift: Annotated[
            bool, Field(description="Add the latest drift: by feature, by slice and variant, and jointly.")
        ] = False,
        last: Annotated[int, Field(ge=1, le=400, description="At most so many windows.")] = 31,
        path: Where = ".",
    ) -> Measured:
        """Read the realised quality of an endpoint of a mlwright project over time: AUC and Brier score with
        confidence intervals, calibration, share of labelled predictions, versions that answered, on labels that have
        matured. Use it for every question on accuracy in production; compare intervals, not points. Drift is context
        and proves no harm."""
        with self._place.platform(path) as platform:
            now = platform.parts.clock.now()
            platform.parts.endpoint(endpoint)
            since, until = _window(start, end, now)
            windows: tuple[Performance, ...]
            if one_window:
                if start is None:
                    raise UsageError("one window needs its start", where="start")
                windows = (platform.watch.window(endpoint, Window(start=since, end=until)),)
            else:
                windows = tuple(
                    each
                    for each in platform.watch.performance(endpoint, by)
                    if since <= each.window.start and each.window.end <= until
                )
            reports = platform.drifting.drift(endpoint)[-1:] if drift else ()
            by_part = platform.drifting.by_part(endpoint) if drift else None
            joint = platform.shifting.kept(endpoint)[-1:] if drift else ()
        limits = []
        if len(windows) > last:
            limits.append(f"the latest {last} of {len(windows)} windows")
        if not windows:
            limits.append(
                f"no window has been evaluated here: mlwright monitor {endpoint} --update evaluates what has matured"
            )
        return Measured(
            performance=windows[-last:],
            drift=reports,
            drift_by_part=by_part,
            joint=joint,
            limits=tuple(limits),
        )


def instant(text: str, now: datetime) -> datetime:
    """An instant from ISO 8601 (UTC where nothing else is said) or from an age such as ``7d``.

    Raises:
        UsageError: it is neither.
    """
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no instant", why="write 2025-04-01, 2025-04-01T12:00:00Z, or an age such as 7d"
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _window(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    since = instant(start, now) if start else datetime.min.replace(tzinfo=UTC)
    until = instant(end, now) if end else now
    if until <= since:
        raise UsageError("the end is not after the start", where=f"{start} to {end}")
    return since, until


def _latest_two(found: Sequence[Run], first: str | None, second: str | None) -> tuple[RunId, RunId]:
    given = first or second
    done = [each.id for each in found if each.status.value == "FINISHED" and each.id != given]
    if len(done) < (1 if given else 2):
        raise NotFound("there are not two finished runs to compare", next_command="mlwright runs")
    if first is not None:
        return RunId(first), done[0]
    return (done[0], RunId(second)) if second is not None else (done[1], done[0])


def _compared(one: Run, two: Run) -> Compared:
    environments = one.environment, two.environment
    packages = [each.packages if each else {} for each in environments]
    codes = [each.code_digest if each else None for each in environments]
    return Compared(
        first=_card(one),
        second=_card(two),
        metrics=tuple(
            MetricChange(
                name=name,
                first=one.metrics.get(name),
                second=two.metrics.get(name),
                change=two.metrics[name] - one.metrics[name]
                if name in one.metrics and name in two.metrics
                else None,
            )
            for name in sorted(one.metrics.keys() | two.metrics.keys())
        ),
        params=_differences(one.params, two.params),
        datasets=_differences(_data(one.datasets), _data(two.datasets)),
        packages=_differences(packages[0], packages[1]),
        same_code=None if None in codes else codes[0] == codes[1],
        limits=("single numbers without an interval: a small change may be chance",),
    )


def _card(run: Run) -> RunCard:
    return RunCard(
        id=run.id,
        name=run.name,
        status=run.status.value,
        started=run.started,
        ended=run.ended,
        actor=run.actor,
        error=run.error,
        git_commit=run.environment.git_commit if run.environment else None,
        git_dirty=run.environment.git_dirty if run.environment else None,
    )


def _data(datasets: Sequence[DatasetVersion]) -> dict[str, str]:
    return {each.name: f"{each.digest} ({each.rows} rows)" for each in datasets}


def _differences(one: Mapping[str, str], two: Mapping[str, str]) -> tuple[Difference, ...]:
    return tuple(
        Difference(name=name, first=one.get(name), second=two.get(name))
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name)
    )
