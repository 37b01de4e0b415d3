"""A batch job from its input to its output: begun, gone on with, finished."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.errors import Conflict, DataError, Fault, UsageError, near_match
from mlwright.stages.serving.batch.crew import Crew, workers_for
from mlwright.stages.serving.batch.cutting import cut
from mlwright.stages.serving.batch.job import (
    ALL,
    JobOptions,
    Manifest,
    Plan,
    Scored,
    Source,
    decode,
    encode,
    require_same,
)
from mlwright.stages.serving.batch.places import Copies, format_of, listed, unchanged
from mlwright.stages.serving.batch.targets import Target, clear, held, is_part, join, sweep, target_of
from mlwright.stages.serving.batch.working import OpenCore, Shift, Task, part_name, rejected_name

_KEPT_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How far a job is: rows of this run, and the part of the input's bytes that is done."""

    rows: int
    share: float
    rejected: int
    seconds: float


Tell = Callable[[Share], None]


def silent(now: Share) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What came of a job."""

    output: str
    endpoint: str
    versions: tuple[str, ...]
    rows: int
    written: int
    rejected: int
    flagged: int
    rejected_at: str
    """Where rejected rows are, each with its reasons."""
    faults: dict[str, int]
    """Rejected rows by field."""
    missed: dict[str, int]
    """Rows for which a feature view knew nothing, by its name."""
    absent: tuple[str, ...]
    """Inputs that a file has not, and that were taken as missing."""
    parts: int
    found_done: int
    """How many parts were there already."""
    seconds: float
    opening_s: float
    """The part of ``seconds`` until the first part was begun: files are listed, the model is loaded."""
    rows_per_second: float
    """Of this run, after that."""


def run(
    scored: Scored,
    source: str,
    output: str,
    options: JobOptions,
    *,
    open_core: OpenCore,
    now: int,
    tell: Tell = silent,
) -> BatchReport:
    """Score files, or go on where it was stopped.

    Args:
        scored: what answers.
        source: a file, folder, glob or URL.
        output: a folder or a file, or their URL.
        options: how.
        open_core: opens what answers, in each process that works.
        now: microseconds since 1970 UTC.
        tell: is told after each part.

    Raises:
        DataError: the input cannot be read, or lacks what the model needs.
        Conflict: another job was begun there, or what it depends on has changed.
        AlreadyRunning: another process is at it.
        StorageError: the output cannot be written.
        ModelError: the model cannot be used.
    """
    began = time.perf_counter()
    target = target_of(output)
    inputs = listed(source)
    _require_apart(inputs, target)
    fresh = Manifest(
        job=secrets.token_hex(8),
        as_of=now,
        endpoint=scored.spec.name,
        versions=_versions(scored),
        options=_options(scored, options, target),
        inputs=inputs,
    )
    with held(target.place):
        sweep(target)
        job = _Job(scored, options, target, _begun(fresh, target, options), open_core, tell)
        before = len(job.manifest.done)
        rows = 0 if job.manifest.complete else job.work()
        job.finish()
    return _report(
        output, scored, target, job.manifest, before, rows, time.perf_counter() - began, job.opened
    )


def manifest_of(output: str) -> Manifest | None:
    """What was begun or done at an output; None: nothing."""
    target = target_of(output)
    data = target.home.read(target.manifest)
    return None if data is None else decode(data, target.home.path(target.manifest))


def _report(
    output: str,
    scored: Scored,
    target: Target,
    manifest: Manifest,
    before: int,
    rows: int,
    seconds: float,
    opening_s: float,
) -> BatchReport:
    total = manifest.total
    return BatchReport(
        output=output,
        endpoint=scored.spec.name,
        versions=tuple(sorted({f"{each.model}/{each.version}" for each in scored.route.variants})),
        rows=total.read,
        written=total.written,
        rejected=total.rejected,
        flagged=total.flagged,
        rejected_at=target.home.path(target.rejected or "_rejected-*.ndjson"),
        faults=total.faults,
        missed=total.missed,
        absent=tuple(total.absent),
        parts=len(manifest.done),
        found_done=before,
        seconds=seconds,
        opening_s=opening_s,
        rows_per_second=rows / max(seconds - opening_s, 1e-9),
    )


class _Job:
    def __init__(
        self,
        scored: Scored,
        options: JobOptions,
        target: Target,
        manifest: Manifest,
        open_core: OpenCore,
        tell: Tell,
    ) -> None:
        self.manifest = manifest
        self._options = options
        self._target = target
        self._tell = tell
        self.opened = 0.0
        """Seconds until the first part was begun."""
        self._kept_at = 0.0
        self._shift = Shift(
            open_core=open_core,
            scored=scored,
            job=manifest.job,
            as_of=manifest.as_of,
            keep=options.keep,
            place=target.place.url,
            written=target.kind,
            many=len(manifest.inputs) > 1,
        )

    def work(self) -> int:
        """Do what is not done; returns how many rows that were."""
        bytes_of = [each.size for each in self.manifest.inputs]
        whole = sum(bytes_of) or 1
        rows = rejected = 0
        began = time.perf_counter()
        self._keep()
        copies = Copies()
        crew = Crew(self._shift, workers_for(self._options.workers, sum(bytes_of)))
        try:
            for task, done in crew.results(self._tasks(copies)):
                self.manifest.done[str(task.chunk.part)] = done
                if not rows:
                    self.opened = max(0.0, time.perf_counter() - began - done.seconds)
                rows, rejected = rows + done.read, rejected + done.rejected
                if self._is_done(task.chunk.source):
                    self._require_unchanged(task.source)
                    copies.let_go(task.source)
                if time.monotonic() - self._kept_at > _KEPT_EVERY_S:
                    self._keep()
                self._tell(
                    Share(
                        rows=rows,
                        share=self._share(bytes_of) / whole,
                        rejected=rejected,
                        seconds=time.perf_counter() - began,
                    )
                )
        finally:
            crew.close()
            copies.close()
            self._keep()
        return rows

    def finish(self) -> None:
        """Make one file of the parts where one was asked for, and say that all is there."""
        target, manifest = self._target, self.manifest
        if target.one is not None and not manifest.complete:
            parts = [part_name(part, target.kind) for part in range(len(manifest.done))]
            refused = [rejected_name(part) for part in range(len(manifest.done))]
            join(target, parts, target.one, target.kind)
            if any(each.rejected for each in manifest.done.values()):
                join(target, refused, target.rejected or "", "ndjson")
            elif target.rejected:
                target.home.remove(target.rejected)
        manifest.complete = True
        self._keep()
        if target.one is not None:
            clear(target.place, target.kind)
            target.place.leave()

    def _tasks(self, copies: Copies) -> Iterator[Task]:
        part = 0
        left = self._options.limit or sys.maxsize
        for number, source in enumerate(self.manifest.inputs):
            if left <= 0:
                return
            kind = format_of(source.path) or ""
            plan = self.manifest.plans.get(str(number))
            if plan is None:
                plan = cut(copies.near(source), kind, number, part, self._options.chunk_rows, left)
                _require_kept(self._options.keep, plan, source)
                self.manifest.plans[str(number)] = plan
            part, left = part + len(plan.chunks), left - plan.rows
            for chunk in plan.chunks:
                if str(chunk.part) not in self.manifest.done:
                    path = copies.near(source)
                    yield Task(chunk=chunk, source=source, path=path, kind=kind, plan=_bare(plan))

    def _is_done(self, number: int) -> bool:
        plan = self.manifest.plans[str(number)]
        return all(str(chunk.part) in self.manifest.done for chunk in plan.chunks)

    def _share(self, bytes_of: Sequence[int]) -> float:
        reached = 0.0
        for number, plan in self.manifest.plans.items():
            done = sum(str(chunk.part) in self.manifest.done for chunk in plan.chunks)
            reached += bytes_of[int(number)] * (done / len(plan.chunks) if plan.chunks else 1)
        return reached

    def _require_unchanged(self, source: Source) -> None:
        if not unchanged(source):
            raise Conflict(
                "the file has changed while it was read",
                where=source.path,
                next_command="the same command with --restart writes everything anew",
            )

    def _keep(self) -> None:
        self._target.home.write(self._target.manifest, encode(self.manifest))
        self._kept_at = time.monotonic()


def _begun(fresh: Manifest, target: Target, options: JobOptions) -> Manifest:
    """The job that was begun here, or a new one."""
    where = target.home.path(target.manifest)
    data = target.home.read(target.manifest)
    if data is not None and not options.restart:
        before = decode(data, where)
        if before.done or before.complete:
            require_same(before, fresh, where)
        one_is_gone = target.one is not None and target.one not in target.home.names()
        if (before.done or before.complete) and not (before.complete and one_is_gone):
            return before
    elif data is None and not options.restart:
        there = [name for name in target.place.names() if is_part(name, target.kind)]
        there += [target.one] if target.one in target.home.names() else []
        if there:
            raise Conflict(
                "files are there already that no job of ours has written",
                where=target.place.path(there[0]) if target.one is None else target.home.path(there[0]),
                next_command="another --output, or --restart to write over them",
            )
    # First the manifest: with the old one the parts that are gone would count as done.
    target.home.write(target.manifest, encode(fresh))
    clear(target.place, target.kind)
    return fresh


def _versions(scored: Scored) -> dict[str, str]:
    route = scored.route
    split = {
        f"{each.model}/{each.version} {each.share:g}": scored.digests.get(f"{each.model}/{each.version}", "")
        for each in route.variants
    }
    return split if len(split) == 1 else split | {"salt": route.salt}


def _options(scored: Scored, options: JobOptions, target: Target) -> dict[str, str]:
    edge = scored.spec.serving.edge
    impute = ", ".join(f"{name}={value!r}" for name, value in sorted(edge.impute.items()))
    return {
        "output": target.kind,
        "keep": ",".join(options.keep),
        "chunk-rows": str(options.chunk_rows),
        "limit": str(options.limit),
        "invalid": f"{edge.invalid} {impute}".strip() if edge.invalid == "impute" else edge.invalid,
        "log": str(scored.log).lower(),
    }


def _bare(plan: Plan) -> Plan:
    """A plan without its chunks, which a process that does one of them has no use for."""
    return Plan(columns=plan.columns, kinds=plan.kinds, header=plan.header, rows=plan.rows)


def _require_kept(keep: Sequence[str], plan: Plan, source: Source) -> None:
    faults = [
        Fault(where=name, what="there is no such column", near=near_match(name, plan.columns))
        for name in keep
        if name not in plan.columns and keep != (ALL,)
    ]
    if faults:
        raise DataError("columns that are to be kept are not there", where=source.path, faults=faults)


def _require_apart(inputs: Sequence[Source], target: Target) -> None:
    """Refuse an output among the inputs: parts would be read as rows."""
    for each in inputs:
        folder = each.path.rpartition("/")[0]
        if folder == target.place.path("").rstrip("/") or each.path == target.home.path(target.one or ""):
            raise UsageError(
                "the output is where the input is",
                where=each.path,
                next_command="another --output",
            )
