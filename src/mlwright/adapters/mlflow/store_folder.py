"""Everything that an ``mlruns`` folder of MLflow keeps, read without the mlflow package.

The layout is that of mlflow/store/tracking/file_store.py and mlflow/store/model_registry/file_store.py; see
``folder.py``. Nothing behind a symbolic link is read.
"""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from mlwright.adapters.mlflow.order import parents_first
from mlwright.adapters.mlflow.places import Places
from mlwright.adapters.mlflow.plain_yaml import load_yaml
from mlwright.adapters.mlflow.store_database import MODEL_STATUS, PARENT, version_of
from mlwright.errors import ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFacts,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    LoggedModelStatus,
    Metric,
    ModelOutput,
    RunStatus,
)

_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_ASIDE: Final = frozenset({"tags", "datasets", "traces", "models", ".trash"})

Meta = Mapping[str, object]


class MlflowFolderStore:
    """One ``mlruns`` folder.

    Args:
        path: the folder.
        shown: the address as a report may show it.
        proxied: the folder behind ``mlflow-artifacts:/``, where that is not beside it.

    Raises:
        ServerUnavailable: there is no such folder, or it holds no experiment.
    """

    def __init__(self, path: Path, shown: str, *, proxied: Path | None = None) -> None:
        self._path, self._shown = path, shown
        self._places = Places(path.parent, proxied)
        self._left: dict[LeftOut, None] = {}
        self._experiments = dict(self._find())
        if not self._experiments:
            raise ServerUnavailable(
                "this is not a readable mlruns folder of MLflow",
                where=shown,
                why="it holds no experiment" if path.is_dir() else "there is no such folder",
                next_command="name the folder that MLflow writes to, such as file:mlruns",
            )
        self._folders: dict[str, Path] = {}

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        experiments = tuple(
            ForeignExperiment(
                name=_text(meta.get("name")) or folder.name,
                tags=_texts(folder / "tags"),
                deleted=meta.get("lifecycle_stage") == "deleted",
            )
            for folder, meta in self._experiments.items()
        )
        for folder, meta in self._experiments.items():
            if count := len(_folders(folder / "traces")):
                where = f"{count} in {meta.get('name')}"
                self._left[LeftOut(what="traces", where=where, why="they are not carried over")] = None
        runs = sum(len(_runs_in(folder)) for folder in self._experiments)
        named = tuple(sorted(experiments, key=lambda each: each.name))
        return ForeignFacts(tool="mlflow", source=self._shown, experiments=named, runs=runs)

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``: by start, then id."""
        found: dict[str, tuple[int, Path, str]] = {}
        parents: dict[str, str] = {}
        for experiment, described in self._experiments.items():
            for folder in _runs_in(experiment):
                meta = self._meta(folder)
                if meta is None:
                    continue
                name = _text(described.get("name")) or experiment.name
                found[folder.name] = (_whole(meta.get("start_time")), folder, name)
                if parent := _read(folder / "tags" / PARENT):
                    parents[folder.name] = parent
        self._folders |= {id: folder for id, (_, folder, _) in found.items()}
        for id in parents_first(sorted(found, key=lambda id: (found[id][0], id)), parents):
            _, folder, experiment_name = found[id]
            meta = self._meta(folder)
            if meta is not None:
                yield self._run(folder, meta, experiment_name, parents.get(id))

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``."""
        folder = self._folder(run)
        if folder is None:
            return
        for key, file in sorted(_files(folder / "metrics").items()):
            points = [line.split(" ") for line in _lines(file)]
            good = [each for each in points if len(each) >= 2 and _is_point(each)]
            if len(good) < len(points):
                why = f"{len(points) - len(good)} lines of its file are no points"
                self._left[LeftOut(what="points of a metric", where=f"{run}: {key}", why=why)] = None
            steps = np.array([int(each[2]) if len(each) > 2 else 0 for each in good], np.int64)
            at_ms = np.array([int(each[0]) for each in good], np.int64)
            values = np.array([float(each[1]) for each in good], np.float64)
            order = np.lexsort((at_ms, steps))
            if not good:
                continue
            yield History(key=key, steps=steps[order], at_ms=at_ms[order], values=values[order])

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``."""
        root = self._root(run)
        yield from self._places.files(root, run) if root else ()

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``."""
        return self._places.open(self._root(run), path)

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``; prompts are among them."""
        for folder in _folders(self._path / "models"):
            meta = self._meta(folder)
            if meta is None or "name" not in meta:
                continue
            versions = []
            for place in _folders(folder):
                own = self._meta(place) if place.name.startswith("version-") else None
                if own is not None and "version" in own and own.get("current_stage") != "Deleted_Internal":
                    versions.append(version_of(own, _texts(place / "tags")))
            aliases = {name: text.strip() for name, text in _texts(folder / "aliases").items()}
            yield ForeignModel(
                name=str(meta["name"]),
                versions=tuple(sorted(versions, key=lambda each: each.version)),
                description=_text(meta.get("description")),
                tags=_texts(folder / "tags"),
                aliases={name: int(text) for name, text in sorted(aliases.items()) if text.isdecimal()},
            )

    def logged_models(self) -> Iterator[ForeignLoggedModel]:
        """See ``ForeignModelShelf.logged_models``."""
        for experiment, described in self._experiments.items():
            for folder in _folders(experiment / "models"):
                meta = self._meta(folder)
                if meta is None:
                    continue
                self._folders[folder.name] = folder
                status = meta.get("status")
                yield ForeignLoggedModel(
                    id=folder.name,
                    experiment=_text(described.get("name")) or experiment.name,
                    name=_text(meta.get("name")) or folder.name,
                    source_run=_text(meta.get("source_run_id")),
                    status=MODEL_STATUS.get(_whole(status), LoggedModelStatus.PENDING)
                    if isinstance(status, int)
                    else LoggedModelStatus.__members__.get(str(status), LoggedModelStatus.PENDING),
                    created_ms=_whole(meta.get("creation_timestamp")),
                    updated_ms=_whole(meta.get("last_updated_timestamp")),
                    status_message=_text(meta.get("status_message")),
                    model_type=_text(meta.get("model_type")),
                    params=_texts(folder / "params"),
                    tags=_texts(folder / "tags"),
                    metrics=tuple(_model_metrics(folder)),
                    deleted=meta.get("lifecycle_stage") == "deleted",
                )

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return tuple(dict.fromkeys([*self._left, *self._places.left_out]))

    def _find(self) -> Iterator[tuple[Path, Meta]]:
        for root in (self._path, self._path / ".trash"):
            for folder in _folders(root):
                if folder.name not in _ASIDE and (folder / "meta.yaml").is_file():
                    meta = self._meta(folder)
                    if meta is not None and "experiment_id" in meta:
                        yield folder, meta

    def _meta(self, folder: Path) -> Meta | None:
        """What a folder's ``meta.yaml`` says; None, and a note, where that cannot be read."""
        try:
            described = load_yaml(_read(folder / "meta.yaml"))
        except ValueError as error:
            described, why = None, f"its meta.yaml cannot be read: {type(error).__name__}"
        else:
            why = "it has no meta.yaml, or an empty one"
        if isinstance(described, dict):
            return described
        where = folder.relative_to(self._path).as_posix()
        self._left[LeftOut(what="a folder", where=where, why=why)] = None
        return None

    def _folder(self, id: str) -> Path | None:
        if id not in self._folders:
            inside = "models" if id.startswith("m-") else "."
            for experiment in self._experiments:
                if (experiment / inside / id / "meta.yaml").is_file():
                    self._folders[id] = experiment / inside / id
        return self._folders.get(id)

    def _root(self, owner: str) -> str:
        """Where the artifacts of a run or logged model lie: in its own folder, unless its meta says another place."""
        folder = self._folder(owner)
        if folder is None:
            return ""
        if (folder / "artifacts").is_dir():
            return str(folder / "artifacts")
        meta = self._meta(folder) or {}
        return _text(meta.get("artifact_uri") or meta.get("artifact_location")) or ""

    def _run(self, folder: Path, meta: Meta, experiment: str, parent: str | None) -> ForeignRun:
        status = meta.get("status")
        tags = _texts(folder / "tags")
        word = _STATUS.get(status, "FINISHED") if isinstance(status, int) else str(status or "FINISHED")
        sizes = sorted((key, file.stat().st_size) for key, file in _files(folder / "metrics").items())
        return ForeignRun(
            id=folder.name,
            experiment=experiment,
            name=_text(meta.get("run_name")) or tags.get("mlflow.runName") or "unnamed",
            status=RunStatus(word),
            started_ms=_whole(meta.get("start_time")),
            ended_ms=_whole(meta.get("end_time")) or None,
            actor=_text(meta.get("user_id")) or "",
            params=_texts(folder / "params"),
            tags=tags,
            inputs=tuple(_inputs(folder)),
            outputs=tuple(_outputs(folder)),
            parent=parent,
            deleted=meta.get("lifecycle_stage") == "deleted",
            model_inputs=tuple(
                str(each.get("source_id"))
                for each in _described(folder / "inputs")
                if each.get("source_type") == "MODEL"
            ),
            state=sha256(repr(sizes).encode()).hexdigest(),
        )


def _inputs(run: Path) -> Iterator[DatasetInput]:
    for each in _described(run / "inputs"):
        if each.get("source_type") != "DATASET":
            continue
        for meta in _described(run.parent / "datasets", str(each.get("source_id"))):
            tags = each.get("tags")
            dataset = Dataset(
                name=_text(meta.get("name")) or "",
                digest=_text(meta.get("digest")) or "",
                source_type=_text(meta.get("source_type")) or "",
                source=_text(meta.get("source")) or "",
                schema=_text(meta.get("schema")),
                profile=_text(meta.get("profile")),
            )
            said = tags if isinstance(tags, dict) else {}
            yield DatasetInput(dataset=dataset, tags={str(key): str(value) for key, value in said.items()})


def _outputs(run: Path) -> Iterator[ModelOutput]:
    for folder in _folders(run / "outputs"):
        for each in _described(folder.parent, folder.name):
            yield ModelOutput(model=folder.name, step=_whole(each.get("step")))


def _described(folder: Path, *names: str) -> Iterator[Meta]:
    """The ``meta.yaml`` of the folders in a folder, or of those named."""
    wanted = [folder / name for name in names if name == Path(name).name] if names else _folders(folder)
    for each in wanted:
        try:
            meta = load_yaml(_read(each / "meta.yaml"))
        except ValueError:
            continue
        if isinstance(meta, dict):
            yield meta


def _model_metrics(model: Path) -> Iterator[tuple[str, Metric]]:
    for key, file in sorted(_files(model / "metrics").items()):
        for line in _lines(file):
            parts = line.split(" ")
            if len(parts) in (4, 6) and _is_point(parts):
                named = parts[4:6] if len(parts) == 6 else (None, None)
                metric = Metric(
                    key=key,
                    value=float(parts[1]),
                    step=int(parts[2]),
                    at_ms=int(parts[0]),
                    model=model.name,
                    dataset=named[0],
                    dataset_digest=named[1],
                )
                yield parts[3], metric


def _is_point(parts: list[str]) -> bool:
    try:
        return (
            abs(int(parts[0])) < 2**63
            and len(parts[1]) < 400
            and float(parts[1]) is not None
            and (len(parts) < 3 or abs(int(parts[2])) < 2**63)
        )
    except ValueError:
        return False


def _runs_in(experiment: Path) -> list[Path]:
    return [
        folder
        for folder in _folders(experiment)
        if folder.name not in _ASIDE and (folder / "meta.yaml").is_file()
    ]


def _folders(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(Path(each.path) for each in entries if each.is_dir(follow_symlinks=False))


def _files(folder: Path) -> dict[str, Path]:
    """The files below a folder by key: a key with a slash ("train/auc") lies in folders."""
    if folder.is_symlink() or not folder.is_dir():
        return {}
    found = {}
    for here, _, names in os.walk(folder):
        for name in names:
            file = Path(here, name)
            if not file.is_symlink() and file.is_file():
                found[file.relative_to(folder).as_posix()] = file
    return found


def _texts(folder: Path) -> dict[str, str]:
    return {key: _read(file) for key, file in sorted(_files(folder).items())}


def _read(file: Path) -> str:
    """The text of a file; empty where there is none."""
    try:
        return "" if file.is_symlink() else file.read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return ""


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            if plain := line.strip():
                yield plain


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
