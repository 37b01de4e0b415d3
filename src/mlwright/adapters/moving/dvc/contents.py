"""What the files of one state say: params, metrics, series and outputs, by DVC's and DVCLive's own layout.

``dvc.lock`` (schema 2.0) and ``dvc.yaml`` as DVC 3.67, ``dvclive/`` as DVCLive 3.49 write them. Params files that are
Python are not executed.
"""

import posixpath
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mlwright.adapters.moving.dvc.trees import Tree
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.texts import (
    as_text,
    clean,
    flat,
    leaves,
    mapping,
    parse_json,
    parse_yaml,
    text_of,
)
from mlwright.errors import DataError

_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_FOUND: Final = 50_000
_SERIES: Final = "plots/metrics/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A file or folder that DVC keeps in its cache: path, and MD5 as it names it (``….dir`` for a folder)."""

    path: str
    md5: str


@dataclass(slots=True)
class Contents:
    """All that is read of one state, but for the points of its series."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Step and value of each metric that has one."""
    series: dict[str, str] = field(default_factory=dict)
    """The table of each metric that has a history."""
    outs: dict[str, Out] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    """Files of the state itself that belong to the run."""
    used: list[str] = field(default_factory=list)
    """Everything that was looked at: what makes two states the same."""


class Reading:
    """One reading of one state.

    Args:
        tree: its files.
        where: the state's name, for the notes.
        notes: is told what cannot be read.
    """

    def __init__(self, tree: Tree, where: str, notes: Notes) -> None:
        self._tree, self._where, self._notes = tree, where, notes
        self._found = Contents()
        self._paths = tree.paths()
        self._known = frozenset(self._paths)

    def contents(self) -> Contents:
        """Read everything."""
        metrics: dict[str, str] = {}
        params: dict[str, None] = {"params.yaml": None}
        for path in self._named("dvc.lock"):
            self._take_lock(path)
        for path in self._named("dvc.yaml"):
            self._take_stages(path, metrics, params)
        for path in self._paths:
            if path.endswith(".dvc"):
                self._take_outs(mapping(self._parsed(path)).get("outs"), posixpath.dirname(path))
        for folder in self._live_folders():
            self._take_live(folder, metrics, params)
        for path in params:
            if path in self._known:
                self._take_params(path)
        for path, separator in sorted(metrics.items()):
            if path in self._known:
                self._take_metrics(path, separator)
        return self._found

    def _named(self, name: str) -> list[str]:
        return [path for path in self._paths if path == name or path.endswith(f"/{name}")]

    def _parsed(self, path: str) -> object:
        self._found.used.append(path)
        try:
            data = self._tree.read(path, _MOST_BYTES)
            if path.endswith(".json"):
                return parse_json(data)
            if path.endswith(".toml"):
                return tomllib.loads(data.decode("utf-8"))
            return parse_yaml(data)
        except DataError as error:
            self._notes.add(path, self._where, error.why or error.what)
        except (Unreadable, ValueError, RecursionError) as error:
            self._notes.add(path, self._where, f"it cannot be read: {str(error) or 'nested too deeply'}")
        return None

    def _take_lock(self, path: str) -> None:
        self._found.files.append(path)
        above = posixpath.dirname(path)
        for name, stage in mapping(mapping(self._parsed(path)).get("stages")).items():
            said = mapping(stage)
            command = said.get("cmd")
            if isinstance(command, str | list):
                self._found.tags[clean(f"stage.{name}")] = self._text(command, path)
            for file, values in mapping(said.get("params")).items():
                self._add_params(mapping(values), _joined(above, file))
            self._take_outs(said.get("outs"), above)

    def _take_outs(self, outs: object, above: str) -> None:
        for out in outs if isinstance(outs, list) else ():
            said = mapping(out)
            path, md5 = _joined(above, text_of(said.get("path"))), text_of(said.get("md5"))
            if path and (md5 or path in self._known) and len(self._found.outs) < _MOST_FOUND:
                self._found.outs[path] = Out(path=path, md5=md5)

    def _take_stages(self, path: str, metrics: dict[str, str], params: dict[str, None]) -> None:
        self._found.files.append(path)
        above = posixpath.dirname(path)
        said = mapping(self._parsed(path))
        stages = [mapping(stage) for stage in mapping(said.get("stages")).values()]
        for holder in (said, *stages):
            for name in _listed(holder.get("metrics")):
                metrics.setdefault(_joined(above, name), ".")
        for name in _listed(said.get("params")):
            params.setdefault(_joined(above, name))

    def _live_folders(self) -> list[str]:
        """Folders that DVCLive wrote: named so, or with its tables of metrics in them."""
        found = {path.partition(f"/{_SERIES}")[0] for path in self._paths if f"/{_SERIES}" in path}
        found |= {posixpath.dirname(path) for path in self._paths if path.endswith("dvclive/metrics.json")}
        return sorted(found)

    def _take_live(self, folder: str, metrics: dict[str, str], params: dict[str, None]) -> None:
        metrics[f"{folder}/metrics.json"] = "/"
        params.setdefault(f"{folder}/params.yaml")
        tables = f"{folder}/{_SERIES}"
        for path in self._paths:
            if path.startswith(tables) and path.endswith(".tsv"):
                key = clean(path[len(tables) : -4])
                self._found.series[key if key not in self._found.series else f"{folder}/{key}"] = path
                self._found.used.append(path)
            elif path.startswith(f"{folder}/"):
                self._found.files.append(path)

    def _take_params(self, path: str) -> None:
        if path.endswith(".py"):
            self._notes.add(path, self._where, "params in Python are not executed")
            return
        self._add_params(mapping(self._parsed(path)), path)

    def _add_params(self, values: dict[str, object], path: str) -> None:
        try:
            met = flat(values)
        except ValueError as error:
            self._notes.add(f"params of {path}", self._where, str(error))
            return
        for key, value in met.items():
            known = self._found.params.get(key)
            name = key if known in (None, value) else f"{path}:{key}"
            if len(self._found.params) < _MOST_FOUND:
                self._found.params.setdefault(name, value)

    def _take_metrics(self, path: str, separator: str) -> None:
        said = mapping(self._parsed(path))
        step = said.get("step") if separator == "/" else 0
        at = step if isinstance(step, int) and 0 <= step < 1 << 62 else 0
        try:
            met = list(leaves(said, separator))
        except ValueError as error:
            self._notes.add(f"metrics of {path}", self._where, str(error))
            return
        for key, value in met:
            number = _number(value)
            if number is None:
                self._notes.add(f"{key} in {path}", self._where, "it is no number")
                continue
            if key not in self._found.series and len(self._found.metrics) < _MOST_FOUND:
                name = key if key not in self._found.metrics else f"{path}:{key}"
                self._found.metrics[name] = (at, number)

    def _text(self, value: object, path: str) -> str:
        try:
            return as_text(value)
        except ValueError as error:
            self._notes.add(path, self._where, str(error))
            return ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _listed(value: object) -> Iterator[str]:
    """The paths in a list of paths, or of one-key mappings from a path to its options."""
    for each in value if isinstance(value, list) else ():
        if isinstance(each, str):
            yield clean(each)
        elif isinstance(each, dict) and len(each) == 1:
            yield clean(str(next(iter(each))))


def _joined(above: str, path: str) -> str:
    """A path in a stage's file as one of the whole state; empty where it leads outside."""
    joined = posixpath.normpath(posixpath.join(above, clean(path))) if path else ""
    return "" if joined.startswith(("/", "..")) or joined == "." else joined
