"""Writing an ``mlruns`` folder as MLflow's own file store does, without the mlflow package.

MLflow reads it since 1.x; from 3.x on only with ``MLFLOW_ALLOW_FILE_STORE=true``, or after
``mlflow migrate-filestore``, which makes a database of it. Ids stay as they are, which no server would allow.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Final

import yaml

from mlwright.errors import BadRequest, ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    LeftOut,
)
from mlwright.model.tracking import DatasetInput, History, LoggedModelStatus, RunStatus

_STATUS: Final = {
    RunStatus.RUNNING: 1,
    RunStatus.SCHEDULED: 2,
    RunStatus.FINISHED: 3,
    RunStatus.FAILED: 4,
    RunStatus.KILLED: 5,
}
_MODEL_STATUS: Final = {
    LoggedModelStatus.PENDING: 1,
    LoggedModelStatus.READY: 2,
    LoggedModelStatus.FAILED: 3,
}
_DEFAULT: Final = "Default"


class MlflowFolderSink:
    """One ``mlruns`` folder.

    Args:
        path: the folder; made when needed.
        artifacts: where artifacts go; in the folder itself unless given.

    Raises:
        ServerUnavailable: it cannot be made, or holds something else.
    """

    def __init__(self, path: Path, *, artifacts: Path | None = None) -> None:
        self._path = path.absolute()
        self._artifacts = (artifacts or path).absolute()
        self._left: dict[LeftOut, None] = {}
        self._numbers: dict[str, str] = {}
        self._runs: dict[str, Path] = {}
        self._models: dict[str, Path] = {}
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._trouble(error) from error
        for folder in (*self._path.iterdir(), *(self._path / ".trash").glob("*")):
            meta = folder / "meta.yaml"
            if folder.name.isdigit() and meta.is_file():
                described = yaml.safe_load(meta.read_text("utf-8"))
                self._numbers[str(described["name"])] = folder.name
            elif folder.name not in (".trash", "models"):
                raise ServerUnavailable(
                    "the folder holds other things than MLflow's runs",
                    where=str(path),
                    why=f"{folder.name} is in it",
                    next_command="mlwright export mlflow NEW-FOLDER",
                )

    def begin(self, run: ForeignRun, experiment: ForeignExperiment) -> str:
        """See ``RunSink.begin``; the id stays."""
        home = self._experiment(experiment)
        folder = home / run.id
        self._runs[run.id] = folder
        self._write_run(run)
        for key, value in run.params.items():
            self._text(folder / "params" / key, value)
        for key, value in run.tags.items():
            self._text(folder / "tags" / key, value)
        for each in run.inputs:
            self._dataset(home, folder, run.id, each)
        return run.id

    def log(self, run: str, history: History) -> int:
        """See ``RunSink.log``: the whole history is written anew."""
        place = self._inside(self._runs[run] / "metrics", history.key)
        before = _lines(place) if place.is_file() else 0
        place.parent.mkdir(parents=True, exist_ok=True)
        columns = (history.at_ms.tolist(), history.values.tolist(), history.steps.tolist())
        with place.open("w", encoding="utf-8") as file:
            file.writelines(f"{at} {value} {step}\n" for at, value, step in zip(*columns, strict=True))
        return max(len(history.steps) - before, 0)

    def put_file(self, owner: str, path: str, size: int, opened: Callable[[], BinaryIO]) -> bool:
        """See ``RunSink.put_file``."""
        place = self._inside(self._root(owner), path)
        if place.is_file() and place.stat().st_size == size:
            return False
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with opened() as source, place.open("wb") as file:
                copyfileobj(source, file, 1 << 20)
        except OSError as error:
            raise self._trouble(error) from error
        return True

    def end(self, run: ForeignRun) -> None:
        """See ``RunSink.end``."""
        folder = self._runs[run.id]
        for output in run.outputs:
            self._meta(
                folder / "outputs" / output.model,
                {
                    "source_type": "RUN_OUTPUT",
                    "source_id": output.model,
                    "destination_type": "MODEL_OUTPUT",
                    "destination_id": output.model,
                    "tags": {},
                    "step": output.step,
                },
            )
        for model in run.model_inputs:
            link = {"source_type": "MODEL", "source_id": model, "destination_type": "RUN"}
            self._meta(folder / "inputs" / _md5(model, run.id), {**link, "destination_id": model, "tags": {}})
        self._write_run(run)

    def put_logged_model(self, model: ForeignLoggedModel, experiment: ForeignExperiment) -> bool:
        """See ``RunSink.put_logged_model``; the id stays."""
        home = self._experiment(experiment)
        folder = home / "models" / model.id
        new = not (folder / "meta.yaml").is_file()
        self._models[model.id] = folder
        self._meta(
            folder,
            {
                "experiment_id": home.name,
                "model_id": model.id,
                "name": model.name,
                "artifact_location": self._root(model.id).as_uri(),
                "creation_timestamp": model.created_ms,
                "last_updated_timestamp": model.updated_ms,
                "source_run_id": model.source_run,
                "status": _MODEL_STATUS[model.status],
                "status_message": model.status_message,
                "model_type": model.model_type,
                "lifecycle_stage": "active",
            },
        )
        for kind, texts in (("params", model.params), ("tags", model.tags)):
            for key, value in texts.items():
                self._text(folder / kind / key, value)
        (folder / "metrics").mkdir(exist_ok=True)
        (folder / "params").mkdir(exist_ok=True)
        lines: dict[str, list[str]] = {}
        for run, each in model.metrics:
            said = f" {each.dataset} {each.dataset_digest}" if each.dataset else ""
            lines.setdefault(each.key, []).append(f"{each.at_ms} {each.value} {each.step} {run}{said}\n")
        for key, written in lines.items():
            self._text(folder / "metrics" / key, "".join(written))
        return new

    def put_model(self, model: ForeignModel) -> int:
        """See ``RunSink.put_model``; the numbers stay."""
        home = self._inside(self._path / "models", model.name)
        made = 0
        first = min((each.created_ms for each in model.versions), default=0)
        last = max((each.created_ms for each in model.versions), default=0)
        self._meta(
            home,
            {
                "name": model.name,
                "creation_timestamp": first,
                "last_updated_timestamp": last,
                "description": model.description,
            },
        )
        for key, value in model.tags.items():
            self._text(home / "tags" / key, value)
        for alias, version in model.aliases.items():
            self._text(home / "aliases" / alias, str(version))
        for each in model.versions:
            made += self._version(home, model.name, each)
        return made

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``RunSink.left_out``."""
        return tuple(self._left)

    def _version(self, home: Path, name: str, version: ForeignVersion) -> bool:
        folder = home / f"version-{version.version}"
        new = not (folder / "meta.yaml").is_file()
        if version.logged_model in self._models:
            stored = self._root(version.logged_model).as_uri()
            source = version.source if version.source.startswith("models:/") else stored
        elif version.path is not None and version.run in self._runs:
            source = stored = f"{self._root(version.run).as_uri()}/{version.path}"
        elif self._root(f"registry/{name}/{version.version}").is_dir():
            source = stored = self._root(f"registry/{name}/{version.version}").as_uri()
        else:
            source = stored = version.source
        self._meta(
            folder,
            {
                "aliases": [],
                "creation_timestamp": version.created_ms,
                "current_stage": version.stage,
                "description": version.description,
                "last_updated_timestamp": version.created_ms,
                "model_id": version.logged_model,
                "name": name,
                "run_id": version.run,
                "run_link": version.run_link,
                "source": source,
                "status": version.status,
                "status_message": version.status_message,
                "storage_location": stored,
                "user_id": version.actor,
                "version": version.version,
            },
        )
        for key, value in version.tags.items():
            self._text(folder / "tags" / key, value)
        return new

    def _experiment(self, experiment: ForeignExperiment) -> Path:
        """The folder of an experiment. One that is deleted lies in the trash, where MLflow keeps such."""
        number = self._numbers.get(experiment.name)
        if number is None:
            taken = {int(each) for each in self._numbers.values()}
            free = 0 if experiment.name == _DEFAULT else max(taken | {0}) + 1
            number = self._numbers[experiment.name] = str(free)
        folder = self._path / (".trash" if experiment.deleted else ".") / number
        if not (folder / "meta.yaml").is_file():
            self._meta(
                folder,
                {
                    "artifact_location": (self._artifacts / number).as_uri(),
                    "creation_time": experiment.created_ms,
                    "experiment_id": number,
                    "last_update_time": experiment.created_ms,
                    "lifecycle_stage": "deleted" if experiment.deleted else "active",
                    "name": experiment.name,
                },
            )
            for key, value in experiment.tags.items():
                self._text(folder / "tags" / key, value)
        return folder

    def _write_run(self, run: ForeignRun) -> None:
        folder = self._runs[run.id]
        self._meta(
            folder,
            {
                "artifact_uri": self._root(run.id).as_uri(),
                "end_time": run.ended_ms,
                "entry_point_name": "",
                "experiment_id": folder.parent.name,
                "lifecycle_stage": "deleted" if run.deleted else "active",
                "run_id": run.id,
                "run_name": run.name,
                "run_uuid": run.id,
                "source_name": "",
                "source_type": 4,
                "source_version": "",
                "start_time": run.started_ms,
                "status": _STATUS[run.status],
                "tags": [],
                "user_id": run.actor,
            },
        )
        for name in ("params", "metrics", "tags"):
            (folder / name).mkdir(exist_ok=True)
        self._root(run.id).mkdir(parents=True, exist_ok=True)

    def _dataset(self, home: Path, folder: Path, run: str, used: DatasetInput) -> None:
        known = used.dataset
        id = _md5(known.name, known.digest)
        self._meta(
            home / "datasets" / id,
            {
                "digest": known.digest,
                "name": known.name,
                "profile": known.profile,
                "schema": known.schema,
                "source": known.source,
                "source_type": known.source_type,
            },
        )
        link = {"source_type": "DATASET", "source_id": id, "destination_type": "RUN", "destination_id": id}
        self._meta(folder / "inputs" / _md5(id, run), {**link, "tags": dict(used.tags)})

    def _root(self, owner: str) -> Path:
        """Where the artifacts of a run, a logged model or a registered version lie."""
        if owner.startswith("registry/"):
            return self._inside(self._artifacts / ".mlwright", owner)
        if owner in self._models:
            return self._artifacts / self._models[owner].parts[-3] / "models" / owner / "artifacts"
        return self._artifacts / self._runs[owner].parent.name / owner / "artifacts"

    def _meta(self, folder: Path, values: Mapping[str, object]) -> None:
        self._text(folder / "meta.yaml", yaml.safe_dump(dict(values), allow_unicode=True))

    def _text(self, place: Path, text: str) -> None:
        """Write a text; a key with a slash makes folders, as MLflow's does."""
        inside = self._inside(self._path, place.relative_to(self._path).as_posix())
        try:
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.write_bytes(text.encode("utf-8"))
        except OSError as error:
            # "a" and "a/b" cannot both be names in a folder; a name of 250 letters may be too long for it.
            where = place.relative_to(self._path).as_posix()
            self._left[LeftOut(what="a text", where=where[:200], why=error.strerror or str(error))] = None

    def _inside(self, root: Path, path: str) -> Path:
        """A place below a folder.

        Raises:
            BadRequest: it would be elsewhere.
        """
        parts = Path(path).parts
        if ".." in parts or Path(path).is_absolute():
            raise BadRequest("the path would lead out of the folder", where=repr(path)[:200])
        return root / path

    def _trouble(self, error: OSError) -> ServerUnavailable:
        return ServerUnavailable(
            "the folder cannot be written",
            where=str(self._path),
            why=error.strerror or str(error),
            next_command="mlwright export mlflow ANOTHER-FOLDER",
        )


def _lines(file: Path) -> int:
    with file.open("rb") as opened:
        return sum(1 for _ in opened)


def _md5(*texts: str) -> str:
    """What MLflow names its folders by."""
    return hashlib.md5("".join(texts).encode(), usedforsecurity=False).hexdigest()
