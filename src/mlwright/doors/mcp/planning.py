"""Tools that plan: propose, build, size_and_price, apply_fix. Only apply_fix can write, and only where it may."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

from pydantic import Field

from mlwright.doors.cli.projects import project_names, write_project
from mlwright.doors.mcp.sizing import FORMULAS, HOURS_A_MONTH, LARGEST, Load, Size, size
from mlwright.doors.mcp.tool import Where, progress_here
from mlwright.doors.mcp.workplace import Workplace
from mlwright.engineer.asking.answering import answer
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.writing import write_all
from mlwright.engineer.fixing import plan as plan_fixes
from mlwright.engineer.fixing import result as fix_result
from mlwright.errors import Conflict, UsageError
from mlwright.model.answers import Answer, NextCommand
from mlwright.model.assessment import Interval
from mlwright.model.fixes import FixPlan, FixResult, PlannedFix

_DIFF_LINES: Final = 200

_CANNOT: Final = (
    "feature code, training code and model code of your own: they need your data",
    "Kubernetes, Helm, Terraform and cloud endpoint definitions",
    "pipelines for Airflow, Kubeflow, Dagster, Prefect or Metaflow",
    "dashboards and alert rules for Prometheus and Grafana",
)


Variation = Annotated[
    float,
    Field(ge=0, le=100, description="Squared coefficient of variation; 1: as by chance, 4: bursts, 0: even."),
]
Milliseconds = Annotated[float, Field(gt=0, le=1e7)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The answer as ``mlwright ask --json`` gives it; ``choices`` are the options, nearest to what is here first."""

    path: str
    answer: Answer
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A project that can be written whole: its files, and the command that writes it."""

    name: str
    files: tuple[str, ...]
    command: str
    next_commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """A file as a fix would change it; ``cut`` says that the diff goes on."""

    path: str
    diff: str
    cut: bool
    fixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What can be generated today: whole example projects, and mechanical fixes. Nothing is written."""

    path: str
    projects: tuple[Example, ...]
    fixes: tuple[PlannedFix, ...]
    cannot: tuple[str, ...]
    commands: tuple[NextCommand, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What fixes would change, or did: ``plan`` names exactly these changes, ``result`` is there once they are made."""

    path: str
    plan: str
    fixes: tuple[PlannedFix, ...]
    changes: tuple[ShownChange, ...]
    readiness: Interval
    result: FixResult | None
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Replicas and cost, with how far they move when a figure is 20 % off.

    ``deployed`` adds the spares. Costs are in the currency of the given price; None where none was given.
    """

    size: Size
    deployed: int | None
    cost_per_month: float | None
    cost_per_thousand: float | None
    sensitivity: dict[str, int | None]
    formulas: tuple[str, ...]
    advice: tuple[str, ...]
    limits: tuple[str, ...]


class Planning:
    """Tools that say what could be done, and what it takes."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def propose(
        self,
        question: Annotated[str, Field(max_length=2000, description="In plain English.")],
        path: Where = ".",
    ) -> Proposal:
        """Answer an MLOps question about a repository with options and their trade-offs: how to build a training
        pipeline, how to deploy, what to do once a model is trained, which tool or way to choose. Use it before you
        recommend an architecture: it says what is there already, orders the options by fit, names effort and cost
        notes, real commands, what only a person can say, and what could not be seen. Rules answer, no model. If
        reading.sure is false the question was not understood: rephrase it as one of reading.others."""
        folder = self._place.folder(path)
        standing, repository = self._place.look(folder)
        limits = ["questions are read in English only", "costs are notes: for figures call size_and_price"]
        with self._place.records(path) as records:
            platform = None if isinstance(records, str) else records
            if platform is None:
                limits.append(f"no records of a project were read: {records}")
            said = answer(
                question,
                standing.assessment,
                repository,
                platform,
                probes=self._place.engineer.probes,
            )
        return Proposal(path=self._place.named(folder), answer=said, limits=tuple(limits))

    def build(
        self,
        path: Where = ".",
    ) -> Built:
        """Plan what mlwright can generate for a folder: complete example projects (data contract, pipeline, endpoint,
        monitoring in mlwright.toml) and mechanical fixes of what is there (lock files, CI, .gitignore and the like).
        Use it before you write such files by hand; it writes nothing. It says what it cannot generate: write that
        yourself and call review on it. Apply fixes with apply_fix; a project is written by the command that is given,
        into an empty folder."""
        folder = self._place.folder(path)
        plan, _ = self._plan(folder, ())
        return Built(
            path=self._place.named(folder),
            projects=tuple(map(_example, project_names())),
            fixes=plan.fixes,
            cannot=_CANNOT,
            commands=(
                NextCommand(command="mlwright assess --fix", why="shows the fixes as a diff and asks first"),
                NextCommand(command="mlwright review .", why="a second pair of eyes on what you wrote"),
            ),
            limits=("generating deployment files is not built in this version: see cannot",),
        )

    def size_and_price(
        self,
        requests_per_second: Annotated[float, Field(gt=0, le=1e6, description="At the peak.")],
        service_time_ms: Annotated[
            Milliseconds, Field(description="Mean time one request keeps one worker busy; measured.")
        ],
        target_ms: Annotated[Milliseconds, Field(description="Promised response time.")],
        quantile: Annotated[
            float, Field(ge=0.5, lt=1, description="Share of requests that must keep it.")
        ] = 0.99,
        service_time_at_quantile_ms: Annotated[
            float | None, Field(gt=0, description="Measured; without it exponential times are assumed.")
        ] = None,
        concurrency: Annotated[
            int, Field(ge=1, le=1024, description="Requests one replica serves at once.")
        ] = 1,
        spare_replicas: Annotated[int, Field(ge=0, le=1000, description="That may fail at once.")] = 1,
        arrival_cv2: Variation = 1.0,
        service_cv2: Variation = 1.0,
        error_rate: Annotated[float, Field(ge=0, lt=0.9, description="Share that is tried again.")] = 0.0,
        price_per_hour: Annotated[
            float | None, Field(ge=0, description="Of one replica, from your own bill or price list.")
        ] = None,
        mean_requests_per_second: Annotated[
            float | None, Field(gt=0, description="Over a month, for the cost per 1,000 predictions.")
        ] = None,
    ) -> Sized:
        """Compute how many replicas an endpoint needs to keep a latency promise, and what they cost a month, from
        figures that were measured. Use it whenever somebody asks for sizing, capacity or cost of serving; ask the
        person for the figures, or measure them, and never invent them: no price table is shipped, so a price comes as
        an argument. The formulas are named in the answer; the response time is an upper bound."""
        at_quantile = service_time_at_quantile_ms
        load = Load(
            rate=requests_per_second,
            service=service_time_ms / 1000,
            target=target_ms / 1000,
            quantile=quantile,
            service_at_quantile=None if at_quantile is None else at_quantile / 1000,
            concurrency=concurrency,
            arrival_cv2=arrival_cv2,
            service_cv2=service_cv2,
            error_rate=error_rate,
        )
        found = size(load)
        deployed = None if found.replicas is None else found.replicas + spare_replicas
        hourly = None if deployed is None or price_per_hour is None else deployed * price_per_hour
        mean = mean_requests_per_second
        return Sized(
            size=found,
            deployed=deployed,
            cost_per_month=None if hourly is None else hourly * HOURS_A_MONTH,
            cost_per_thousand=None if hourly is None or mean is None else hourly / (mean * 3600) * 1000,
            sensitivity=_sensitivity(load),
            formulas=FORMULAS,
            advice=_advice(found, load),
            limits=_sizing_limits(load, price_per_hour),
        )

    def apply_fix(
        self,
        path: Where = ".",
        fixes: Annotated[
            list[str] | None, Field(max_length=50, description="Ids, as in a finding's fix; all without it.")
        ] = None,
        dry_run: Annotated[bool, Field(description="Show only.")] = True,
        plan: Annotated[
            str, Field(description="The plan of the dry run that the person agreed to; needed to write.")
        ] = "",
    ) -> Fixed:
        """Show, and with consent apply, mechanical fixes of findings. Call it with dry_run (the default) first: it
        returns the diff, which findings would turn, what is left to a person, and the id of the plan. Show the diff
        to the person; only when they agree call it again with dry_run false and that plan. It writes below path only,
        all files or none, puts the same questions again and reports which findings flipped. A server without
        --allow-writes only shows."""
        folder = self._place.folder(path)
        if not dry_run:
            self._place.require_writes("apply fixes")
        planned, repository = self._plan(folder, fixes or ())
        name = _plan_name(planned)
        done: FixResult | None = None
        if not dry_run:
            _require_agreed(plan, name)
            if planned.changes:
                written = write_all(folder, planned.changes)
                after, _ = self._place.engineer.assess(folder, progress=progress_here.get())
                done = fix_result(planned, written, after)
        limits = [] if self._place.allow_writes else ["this server may not write: it shows only"]
        return Fixed(
            path=self._place.named(folder),
            plan=name,
            fixes=planned.fixes,
            changes=tuple(
                ShownChange(path=each.path, diff=diff, cut=cut, fixes=each.fixes)
                for each in planned.changes
                for diff, cut in [_cut(each.diff)]
            ),
            readiness=planned.readiness,
            result=done,
            limits=(*limits, f"{repository.name}: nothing of the repository was run, its tests neither"),
        )

    def _plan(self, folder: Path, fixes: Sequence[str]) -> tuple[FixPlan, Repository]:
        standing, repository = self._place.look(folder)
        engineer = self._place.engineer
        planned = plan_fixes(
            folder, repository, standing.assessment, fixes, engineer.probes, engineer.engines.scanners
        )
        return planned, repository


def _require_agreed(given: str, name: str) -> None:
    if not given:
        raise UsageError(
            "writing needs the plan that was agreed to",
            why="a person agrees to a diff; the plan's id ties the writing to what they saw",
            next_command="apply_fix with dry_run true, then again with its plan",
        )
    if given != name:
        raise Conflict(
            "this is not the plan any more: the repository or the fixes are others than in the dry run",
            next_command="apply_fix with dry_run true, and show the new diff",
        )


def _plan_name(plan: FixPlan) -> str:
    whole = "\0".join(f"{each.path}\0{each.before}\0{each.text}" for each in plan.changes)
    return sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _cut(diff: str) -> tuple[str, bool]:
    lines = diff.splitlines(keepends=True)
    return "".join(lines[:_DIFF_LINES]), len(lines) > _DIFF_LINES


def _example(name: str) -> Example:
    with TemporaryDirectory() as folder:
        written = write_project(name, Path(folder) / "project")
    return Example(
        name=name,
        files=written.files,
        command=f"mlwright init FOLDER --from {name}",
        next_commands=tuple(each for each in written.next_commands if not each.startswith("cd ")),
    )


def _sensitivity(load: Load) -> dict[str, int | None]:
    def off(quantity: str, factor: float) -> int | None:
        if quantity == "requests":
            return size(replace(load, rate=load.rate * factor)).replicas
        slow = load.service_at_quantile
        scaled = replace(
            load, service=load.service * factor, service_at_quantile=None if slow is None else slow * factor
        )
        return size(scaled).replicas

    varied = {
        f"{quantity} {sign}20 %": off(quantity, factor)
        for quantity in ("requests", "service time")
        for sign, factor in (("-", 0.8), ("+", 1.2))
    }
    return {**varied, "bursts (arrival_cv2 4)": size(replace(load, arrival_cv2=4.0)).replicas}


def _advice(found: Size, load: Load) -> tuple[str, ...]:
    if found.replicas is None and found.binding == "service_time":
        slow = f"the service time alone ({load.slowest * 1000:.0f} ms at this quantile) is over the promise"
        return (f"{slow}: no number of replicas helps; make the model faster, or promise less",)
    if found.replicas is None:
        return (
            f"more than {LARGEST:,} workers would be needed: batch the requests or look again at the figures",
        )
    routing = (
        "the bound holds for one shared queue or least-outstanding routing; round robin needs more replicas"
    )
    return (
        f"{routing}, and random routing many more: choose least-request at the load balancer",
        "verify with a load test at the peak before you promise anything",
    )


def _sizing_limits(load: Load, price: float | None) -> tuple[str, ...]:
    said = ["a formula, not a simulation of your traffic; memory, cold starts and scaling lag are not in it"]
    if load.service_at_quantile is None:
        said.append("service times were taken as exponential: give the measured quantile")
    if price is None:
        said.append("no price was given, and none is invented: no price table is shipped in this version")
    return tuple(said)
