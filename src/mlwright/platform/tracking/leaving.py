"""Moving out: this store as something that others read, and the journey that writes it into another tool's store."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO

from mlwright.errors import DataError, MlwrightError, NotFound
from mlwright.model.moving import (
    Carried,
    ForeignExperiment,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    LeftOut,
    MoveProgress,
    MoveReport,
)
from mlwright.model.registry import ModelVersion
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.moved import KINDS
from mlwright.platform.tracking.our_runs import RUNS_AT_ONCE, OurRuns
from mlwright.platform.tracking.sources import artifact_path, folder_location
from mlwright.ports.run_sink import RunSink
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import artifacts as rows
from mlwright.stages.tracking import moving
from mlwright.stages.tracking.logged_models import read_logged_models


class BookStore(OurRuns):
    """This store in the words of :class:`mlwright.ports.foreign_store.ForeignStore`."""

    def __init__(self, book: Book, artifacts: ArtifactJourney) -> None:
        super().__init__(book.read)
        self._book, self._artifacts = book, artifacts
        self._left: dict[LeftOut, None] = {}

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``; ``run`` may be a logged model, or ``registry/NAME/VERSION``."""
        try:
            folder = self._folder(run)
        except MlwrightError as fault:
            self._left[LeftOut(what="artifacts", where=run, why=fault.why or fault.what)] = None
            return
        with self._book.read() as tx:
            found = list(rows.files_below(tx, folder))
        for each in found:
            yield ForeignFile(path=each.path[len(folder) + 1 :], size=each.size)

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``."""
        try:
            return self._artifacts.open(f"{self._folder(run)}/{path}")
        except NotFound as fault:
            raise DataError(
                "the artifact is gone", where=f"{run}: {path}", next_command="mlwright runs"
            ) from fault

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``."""
        with self._book.read() as tx:
            names = registry.list_models(tx)
        for name in names:
            with self._book.read() as tx:
                model = registry.read_models(tx, [name])[0]
                found = registry.list_versions(tx, name)
                versions = [self._version(each, artifact_path(tx, each)) for each in reversed(found)]
            yield ForeignModel(
                name=str(name),
                versions=tuple(versions),
                description=model.description,
                tags=model.tags,
                aliases=model.aliases,
            )

    def logged_models(self) -> Iterator[ForeignLoggedModel]:
        """See ``ForeignModelShelf.logged_models``."""
        known = self.experiments()
        with self._book.read() as tx:
            ids = moving.list_logged_models(tx)
        for first in range(0, len(ids), RUNS_AT_ONCE):
            with self._book.read() as tx:
                found = read_logged_models(tx, ids[first : first + RUNS_AT_ONCE])
            for each in found:
                yield ForeignLoggedModel(
                    id=each.id,
                    experiment=known[each.experiment_id].name,
                    name=each.name,
                    source_run=each.source_run,
                    status=each.status,
                    created_ms=each.created_ms,
                    updated_ms=each.updated_ms,
                    status_message=each.status_message,
                    model_type=each.model_type,
                    params=each.params,
                    tags=each.tags,
                    metrics=tuple((str(run), metric) for run, metric in each.metrics),
                )

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return tuple(self._left)

    def _folder(self, owner: str) -> str:
        if owner.startswith("registry/"):
            self._artifacts.list(owner)  # lays the folder of a version out where nobody asked for it yet
            return owner
        place = (
            self._artifacts.place_of_logged_model if owner.startswith("m-") else self._artifacts.place_of_run
        )
        return place(owner)[1]

    def _version(self, version: ModelVersion, folder: str | None) -> ForeignVersion:
        path = None
        if folder is not None and version.run and f"/{version.run}/artifacts/" in f"/{folder}/":
            path = folder.partition(f"{version.run}/artifacts/")[2] or None
        return ForeignVersion(
            version=version.version,
            run=version.run,
            path=path,
            source=version.source or folder_location(version) or "",
            created_ms=int(version.created.timestamp() * 1000),
            description=version.description,
            stage=version.stage.value,
            tags=version.tags,
            logged_model=version.logged_model,
            actor=version.actor,
            run_link=version.run_link,
            status=version.status.value,
            status_message=version.status_message,
        )


class ExportJourney:
    """Writes this store into that of another tool."""

    def __init__(self, book: Book, artifacts: ArtifactJourney) -> None:
        self._store = BookStore(book, artifacts)

    def carry(
        self,
        sink: RunSink,
        *,
        tool: str,
        target: str,
        experiments: Sequence[str] = (),
        on_progress: Callable[[MoveProgress], None] | None = None,
    ) -> MoveReport:
        """Write everything that is not there yet; whoever is interrupted calls again.

        Args:
            sink: where to.
            tool: what the target is, for the report.
            target: its address as a report may show it.
            experiments: the names of those to write; all of them without.
            on_progress: told after every run.

        Raises:
            ServerUnavailable: the target cannot be reached or written.
            NotFound: there is no experiment of one of the names.
        """
        facts = self._store.about()
        known = {each.name: each for each in facts.experiments}
        for name in experiments:
            if name not in known:
                raise NotFound.named("experiment", name, known, "mlwright runs")
        wanted = {name: each for name, each in known.items() if not experiments or name in experiments}
        out = _Out(sink, self._store)
        self._runs(out, wanted, facts.runs, on_progress)
        for registered in self._store.models():
            if not experiments or any(each.run in out.runs for each in registered.versions):
                out.model(registered)
        return out.report(tool, target, wanted)

    def _runs(
        self,
        out: "_Out",
        wanted: Mapping[str, ForeignExperiment],
        count: int | None,
        on_progress: Callable[[MoveProgress], None] | None,
    ) -> None:
        """Write the runs of some experiments, each with the models that it logged; then those of no run."""
        by_run: dict[str | None, list[ForeignLoggedModel]] = defaultdict(list)
        for model in self._store.logged_models():
            if model.experiment in wanted:
                by_run[model.source_run].append(model)
        for number, run in enumerate(self._store.runs(), start=1):
            if run.experiment in wanted:
                logged = [(each, wanted[each.experiment]) for each in by_run.pop(run.id, ())]
                out.run(run, wanted[run.experiment], logged)
            if on_progress is not None:
                on_progress(
                    MoveProgress(
                        runs=number,
                        of=count,
                        points=out.counts["points"],
                        files=out.counts["artifacts"],
                        size=out.size,
                        at=run.name,
                    )
                )
        for models in by_run.values():
            for each in models:
                out.logged_model(each, wanted[each.experiment])


class _Out:
    """One export while it goes on."""

    def __init__(self, sink: RunSink, store: BookStore) -> None:
        self._sink, self._store = sink, store
        self.counts: dict[str, int] = defaultdict(int)
        self.known: dict[str, int] = defaultdict(int)
        self.runs: set[str] = set()
        self.experiments: set[str] = set()
        self.size = 0

    def run(
        self,
        run: ForeignRun,
        experiment: ForeignExperiment,
        models: Sequence[tuple[ForeignLoggedModel, ForeignExperiment]],
    ) -> None:
        """Write one run with the models that it logged."""
        self._sink.begin(run, experiment)
        self.runs.add(run.id)
        self.experiments.add(experiment.name)
        self.counts["runs"] += 1
        for history in self._store.histories(run.id):
            new = self._sink.log(run.id, history)
            self.counts["points"] += new
            self.known["points"] += len(history.steps) - new
        self._files(run.id)
        for model, place in models:
            self.logged_model(model, place)
        self._sink.end(run)

    def logged_model(self, model: ForeignLoggedModel, experiment: ForeignExperiment) -> None:
        """Write one logged model with its files."""
        new = self._sink.put_logged_model(model, experiment)
        self.experiments.add(experiment.name)
        self.counts["logged models"] += new
        self.known["logged models"] += not new
        self._files(model.id)

    def model(self, model: ForeignModel) -> None:
        """Write one registered model."""
        for each in model.versions:
            if each.path is None and each.logged_model is None:
                self._files(f"registry/{model.name}/{each.version}")
        made = self._sink.put_model(model)
        self.counts["registered models"] += 1
        self.counts["model versions"] += made
        self.known["model versions"] += len(model.versions) - made

    def report(self, tool: str, target: str, wanted: Iterable[str]) -> MoveReport:
        """What was written, and what was not."""
        empty = [
            LeftOut(what="an experiment", where=name, why="it holds no run")
            for name in wanted
            if name not in self.experiments and name != "Default"
        ]
        left = dict.fromkeys([*self._store.left_out(), *self._sink.left_out(), *empty])
        carried = tuple(
            Carried(what=kind, new=self.counts[kind], known=self.known[kind])
            for kind in KINDS
            if self.counts[kind] or self.known[kind]
        )
        return MoveReport(tool=tool, source=target, carried=carried, left_out=tuple(left))

    def _files(self, owner: str) -> None:
        for file in self._store.files(owner):
            opened = partial(self._store.open, owner, file.path)
            sent = self._sink.put_file(owner, file.path, file.size or 0, opened)
            self.counts["artifacts"] += sent
            self.known["artifacts"] += not sent
            self.size += (file.size or 0) * sent
