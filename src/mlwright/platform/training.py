"""The journey from a pipeline to a recorded run and a registered model version."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import date

import numpy as np

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import Run, RunStatus
from mlwright.platform.bench import RunBench
from mlwright.platform.data import DataJourney
from mlwright.platform.mirroring import STATE, WAITING, RunMirror
from mlwright.platform.parts import Parts
from mlwright.stages.pipelines.define import Pipeline
from mlwright.stages.pipelines.usercode import code_digest, load_pipelines
from mlwright.stages.pipelines.workbench import at_workbench
from mlwright.stages.tracking import store as tracking
from mlwright.stages.tracking.environment import capture_environment


class TrainingJourney:
    """Runs pipelines: every run is tracked, every model registered with the evidence for it."""

    def __init__(self, parts: Parts, data: DataJourney) -> None:
        self._parts = parts
        self._data = data
        self._mirror = RunMirror(parts) if parts.open_sink else None

    def pipelines(self) -> dict[str, Pipeline[..., object]]:
        """The project's pipelines by name."""
        settings = self._parts.settings
        return load_pipelines(settings.pipelines, settings.root)

    def run(
        self, pipeline: str, params: Mapping[str, object], *, tags: Mapping[str, str] | None = None
    ) -> Run:
        """Run a pipeline and record it.

        Args:
            pipeline: its function's name.
            params: its parameters; text that reads as a date, number or boolean is turned into one.
            tags: more tags of the run.

        Returns:
            The finished run.

        Raises:
            NotFound: no pipeline has this name.
            GateFailed: a gate did not pass; the run is recorded as failed.
            StepFailed: a step raised; the run is recorded as failed.
        """
        found = self.pipelines()
        if pipeline not in found:
            raise NotFound.named("pipeline", pipeline, found, "mlwright run --list")
        arguments = found[pipeline].bind({name: _parse(value) for name, value in params.items()})
        run = self._begin(pipeline, arguments, tags or {})
        bench = RunBench(self._parts, self._data, run)
        sent = self._mirror.follow(run) if self._mirror else None
        try:
            np.random.seed(self._parts.settings.seed)
            with at_workbench(bench):
                found[pipeline].function(**arguments)
        except BaseException as error:
            status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED
            self._end(run, status, str(error) or type(error).__name__)
            raise
        else:
            self._end(run, RunStatus.FINISHED, None)
        finally:
            if sent is not None:
                sent()
        return self.get(run)

    def get(self, run: RunId) -> Run:
        """One run with its params, metrics, tags, data sets and environment."""
        with self._parts.read() as tx:
            return tracking.get_run(tx, run)

    def list(self, *, limit: int = 50, failed: bool = False) -> tuple[Run, ...]:
        """The latest runs first."""
        with self._parts.read() as tx:
            status = RunStatus.FAILED if failed else None
            return tuple(tracking.list_runs(tx, limit=limit, status=status))

    def recover(self) -> int:
        """Mark runs whose process is gone as killed; returns how many. For a process that has begun no run itself."""
        with self._parts.write() as tx:
            return len(tracking.mark_interrupted(tx, self._parts.clock.now(), _alive))

    def send(self) -> tuple[tuple[RunId, str], ...]:
        """Send the runs that the project's other tracking server did not take yet; each with its new state.

        Raises:
            UsageError: the project names no other server.
        """
        if self._mirror is None:
            raise UsageError(
                "the project's runs are sent nowhere",
                where="mlwright.toml",
                why="it names no tracking server",
                next_command='tracking = "https://…" in mlwright.toml',
            )
        return self._mirror.send_waiting()

    def _begin(self, pipeline: str, arguments: Mapping[str, object], tags: Mapping[str, str]) -> RunId:
        settings = self._parts.settings
        environment = capture_environment(settings.root, settings.seed, code_digest(settings.root))
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            run = tracking.create_run(
                tx, experiment=settings.name, name=pipeline, at=now, actor=self._parts.actor
            ).id
            tracking.log_params(tx, run, {name: str(value) for name, value in arguments.items()})
            waiting = {STATE: f"{WAITING}: it was not sent yet"} if self._mirror else {}
            tracking.set_tags(tx, run, {**tags, **waiting})
            tracking.set_environment(tx, run, environment)
        return run

    def _end(self, run: RunId, status: RunStatus, error: str | None) -> None:
        with self._parts.write() as tx:
            tracking.end_run(tx, run, status, self._parts.clock.now(), error)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        # A process that asks has no run yet; in a container the one before it often had the same number.
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _parse(value: object) -> object:
    """A parameter typed on the command line as the value it reads as."""
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    for read in (int, float, date.fromisoformat):
        with suppress(ValueError):
            return read(value)
    return value
