"""An ``mlruns`` folder of MLflow, read without the mlflow package.

Layout: ``<experiment>/meta.yaml``, ``<experiment>/<run>/{meta.yaml,params,metrics,tags,inputs,outputs}`` and
``models/<name>/{meta.yaml,version-N/meta.yaml,aliases/}``; from mlflow/store/tracking/file_store.py and
mlflow/store/model_registry/file_store.py. Nothing behind a symbolic link is read.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from mlwright.adapters.mlflow.plain_yaml import load_yaml
from mlwright.adapters.mlflow.records import (
    MOST_EXPERIMENTS,
    MOST_MODELS,
    MOST_RUNS,
    MOST_VERSIONS,
    RunRecord,
    VersionRecord,
    facts_of,
)
from mlwright.errors import ServerUnavailable
from mlwright.model.running import ServerFacts

_MOST_BYTES: Final = 64 * 1024
_MOST_ENTRIES: Final = 20_000
_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_ASIDE: Final = ("models", ".trash")


class MlflowFolder:
    """One ``mlruns`` folder.

    Args:
        path: the folder.
        shown: the URI as a report may show it.
        experiments: names to look at; all of them (the newest 50) without.
    """

    def __init__(self, path: Path, shown: str, *, experiments: Sequence[str] = ()) -> None:
        self._path, self._shown, self._wanted = path, shown, frozenset(experiments)

    @property
    def source(self) -> str:
        """The URI."""
        return self._shown

    def facts(self, seen: datetime) -> ServerFacts:
        """See ``TrackingServer.facts``."""
        notes: list[str] = []
        experiments = self._experiments(notes)
        runs = [run for folder, name in experiments for run in _runs(folder, name)]
        runs.sort(key=lambda each: (-each.start_ms, each.id))
        if len(runs) > MOST_RUNS:
            notes.append(f"only the newest {MOST_RUNS} runs were read")
        runs = [_with_details(each, self._path) for each in runs[:MOST_RUNS]]
        versions = _versions(self._path / "models", notes)
        if self._wanted:
            ours = {each.id for each in runs}
            versions = [each for each in versions if each.run in ours]
        return facts_of(self.source, seen, runs, versions, notes)

    def _experiments(self, notes: list[str]) -> list[tuple[Path, str]]:
        if not self._path.is_dir():
            raise self._refused("there is no such folder")
        found: list[tuple[int, str, Path, str]] = []
        for folder in _folders(self._path):
            described = _meta(folder)
            if folder.name in _ASIDE or "experiment_id" not in described:
                continue
            name = str(described.get("name") or "")
            active = described.get("lifecycle_stage", "active") == "active"
            if active and (not self._wanted or name in self._wanted):
                changed = _whole(described.get("last_update_time") or described.get("creation_time"))
                found.append((-changed, folder.name, folder, name))
        if not found:
            raise self._refused(
                "it holds no experiment of that name" if self._wanted else "it holds no experiment"
            )
        if len(found) > MOST_EXPERIMENTS:
            notes.append(f"only the {MOST_EXPERIMENTS} experiments that changed last were read")
        return [(folder, name) for _, _, folder, name in sorted(found)[:MOST_EXPERIMENTS]]

    def _refused(self, why: str) -> ServerUnavailable:
        return ServerUnavailable(
            "this is not a readable mlruns folder of MLflow",
            where=self.source,
            why=why,
            next_command="name the folder that MLflow writes to, such as file:mlruns",
        )


def _runs(experiment: Path, name: str) -> Iterator[RunRecord]:
    for folder in _folders(experiment):
        described = _meta(folder)
        if "run_id" not in described or described.get("lifecycle_stage", "active") != "active":
            continue
        status = described.get("status")
        yield RunRecord(
            # The folder's own name: what the file says may be anything, and is opened below.
            id=folder.name,
            experiment=name,
            name=str(described.get("run_name") or ""),
            status=_STATUS.get(status, "") if isinstance(status, int) else str(status or ""),
            start_ms=_whole(described.get("start_time")),
            end_ms=_whole(described.get("end_time")) or None,
            tags={"": experiment.name},
        )


def _with_details(run: RunRecord, root: Path) -> RunRecord:
    folder = root / run.tags[""] / run.id
    return RunRecord(
        id=run.id,
        experiment=run.experiment,
        name=run.name,
        status=run.status,
        start_ms=run.start_ms,
        end_ms=run.end_ms,
        params=tuple(_names(folder / "params")),
        metrics=tuple(_names(folder / "metrics")),
        tags={name: _text(folder / "tags" / name) for name in _names(folder / "tags")},
        datasets=sum(
            1 for each in _folders(folder / "inputs") if _meta(each).get("source_type") == "DATASET"
        ),
        models=sum(1 for _ in _folders(folder / "outputs")),
    )


def _versions(models: Path, notes: list[str]) -> list[VersionRecord]:
    found: list[VersionRecord] = []
    known = [(folder, described) for folder in _folders(models) if "name" in (described := _meta(folder))]
    if len(known) > MOST_MODELS:
        notes.append(f"only {MOST_MODELS} registered models were read")
    for folder, described in known[:MOST_MODELS]:
        if _text(folder / "tags" / "mlflow.prompt.is_prompt").strip() == "true":
            continue
        aliases = [(name, _text(folder / "aliases" / name).strip()) for name in _names(folder / "aliases")]
        for place in _folders(folder):
            own = _meta(place)
            if place.name.startswith("version-") and "version" in own:
                found.append(_version(described, own, aliases))
    found.sort(key=lambda each: (-each.created_ms, each.model, each.version))
    if len(found) > MOST_VERSIONS:
        notes.append(f"only the newest {MOST_VERSIONS} model versions were read")
    return found[:MOST_VERSIONS]


def _version(
    model: Mapping[str, object], own: Mapping[str, object], aliases: Sequence[tuple[str, str]]
) -> VersionRecord:
    version = str(own["version"])
    return VersionRecord(
        model=str(model["name"]),
        version=version,
        created_ms=_whole(own.get("creation_timestamp")),
        run=str(own.get("run_id") or ""),
        stage=str(own.get("current_stage") or ""),
        described=bool(
            str(own.get("description") or "").strip() or str(model.get("description") or "").strip()
        ),
        aliases=tuple(name for name, at in aliases if at == version),
    )


def _entries(folder: Path, *, folders: bool) -> list[str]:
    found: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_ENTRIES:
                break
            if entry.is_dir(follow_symlinks=False) if folders else entry.is_file(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found)


def _folders(folder: Path) -> list[Path]:
    return [] if folder.is_symlink() else [folder / name for name in _entries(folder, folders=True)]


def _names(folder: Path) -> list[str]:
    """Files by name; a name with a slash ("train/auc") lies in folders, and its first part stands for it."""
    if folder.is_symlink():
        return []
    return sorted({*_entries(folder, folders=False), *_entries(folder, folders=True)})


def _text(file: Path) -> str:
    try:
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(number, "rb") as opened:
        try:
            return opened.read(_MOST_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return ""


def _meta(folder: Path) -> Mapping[str, object]:
    try:
        described = load_yaml(_text(folder / "meta.yaml"))
    except ValueError:
        return {}
    return described if isinstance(described, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
