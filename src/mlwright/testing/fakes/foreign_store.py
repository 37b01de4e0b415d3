"""A store of another tool's runs, in memory."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import BinaryIO

import numpy as np

from mlwright.errors import DataError, ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFacts,
    ForeignFile,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import History


def history(key: str, values: Sequence[float], *, at_ms: int = 0) -> History:
    """A history with the steps 0, 1, 2 … one millisecond apart."""
    steps = np.arange(len(values), dtype=np.int64)
    return History(key=key, steps=steps, at_ms=steps + at_ms, values=np.asarray(values, dtype=np.float64))


class MemoryForeignStore:
    """Tells what it was given, in the orders that the port promises; refuses everything while ``broken`` is set.

    Runs are given with their parents among them. Experiments are those given, and those that a run names.
    """

    def __init__(
        self,
        runs: Sequence[ForeignRun] = (),
        *,
        histories: Mapping[str, Sequence[History]] | None = None,
        files: Mapping[str, Mapping[str, bytes]] | None = None,
        models: Sequence[ForeignModel] = (),
        experiments: Sequence[ForeignExperiment] = (),
        left_out: Sequence[LeftOut] = (),
        tool: str = "memory",
        source: str = "memory",
        broken: bool = False,
    ) -> None:
        self.kept = list(runs)
        self.kept_histories = {run: list(kept) for run, kept in (histories or {}).items()}
        self.kept_files = {run: dict(kept) for run, kept in (files or {}).items()}
        self.kept_models = list(models)
        self.kept_experiments = list(experiments)
        self.kept_left_out = list(left_out)
        self.tool, self.source, self.broken = tool, source, broken

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        self._refuse_if_broken()
        known = {each.name: each for each in self.kept_experiments}
        for run in self.kept:
            known.setdefault(run.experiment, ForeignExperiment(name=run.experiment))
        return ForeignFacts(
            tool=self.tool,
            source=self.source,
            experiments=tuple(known[name] for name in sorted(known)),
            runs=len(self.kept),
        )

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``: by id, but each after its parent."""
        self._refuse_if_broken()
        waiting = sorted(self.kept, key=lambda run: run.id)
        told: set[str] = set()
        known = {run.id for run in waiting}
        while waiting:
            ready = [
                run for run in waiting if run.parent is None or run.parent in told or run.parent not in known
            ]
            if not ready:
                raise ValueError(f"runs are each other's parents: {sorted(run.id for run in waiting)}")
            yield from ready
            told |= {run.id for run in ready}
            waiting = [run for run in waiting if run.id not in told]

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``."""
        self._refuse_if_broken()
        for kept in sorted(self.kept_histories.get(run, ()), key=lambda each: each.key):
            order = np.lexsort((kept.at_ms, kept.steps))
            yield History(
                key=kept.key, steps=kept.steps[order], at_ms=kept.at_ms[order], values=kept.values[order]
            )

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``."""
        self._refuse_if_broken()
        for path, data in sorted(self.kept_files.get(run, {}).items()):
            yield ForeignFile(path=path, size=len(data))

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``."""
        self._refuse_if_broken()
        data = self.kept_files.get(run, {}).get(path)
        if data is None:
            raise DataError("the artifact is gone", where=f"{run}/{path}", next_command="import again")
        return BytesIO(data)

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``."""
        self._refuse_if_broken()
        yield from sorted(self.kept_models, key=lambda model: model.name)

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return tuple(self.kept_left_out)

    def _refuse_if_broken(self) -> None:
        if self.broken:
            raise ServerUnavailable(
                "the store cannot be read", where=self.source, next_command="look at it, then try again"
            )
