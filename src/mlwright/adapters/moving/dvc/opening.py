"""Projects of DVC, with or without DVCLive: the working folder is a run, and each experiment that git keeps for DVC.

Read as DVC 3.67 and DVCLive 3.49 write them: ``dvc.lock``, ``dvc.yaml``, ``*.dvc``, params and metrics in YAML, JSON
and TOML, ``dvclive/``; experiments are ``refs/exps/<baseline>/<name>``, whose objects the git program reads out for us.

Carried: params, metrics, the series of DVCLive, commands of the stages as tags, files of ``dvclive/``, and outputs as
far as the local cache (``.dvc/cache``) or the folder holds them. Not carried: params in Python, plots other than
metrics as anything but files, remotes, queued experiments, commits and branches without an experiment. The working
folder is left out where it is what the last experiment left behind.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from mlwright.adapters.moving.confined import Confined, gone
from mlwright.adapters.moving.dvc.contents import Contents, Out, Reading
from mlwright.adapters.moving.dvc.git import Experiment, Objects, experiments, git_program
from mlwright.adapters.moving.dvc.trees import CommitTree, FolderTree, Tree
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.points import Point, gathered, step_of
from mlwright.adapters.moving.shelf import RunSource, Shelf
from mlwright.adapters.moving.texts import Names, artifact_path, in_order, mapping, parse_json, text_of
from mlwright.errors import DataError
from mlwright.model.moving import ForeignFile, ForeignRun
from mlwright.model.tracking import History, RunStatus

_MOST_TABLE: Final = 256 * 1024 * 1024
_MOST_FILE: Final = 1024 * 1024 * 1024
_MOST_LISTING: Final = 64 * 1024 * 1024
_MOST_OUTS: Final = 50_000
_HEX: Final = frozenset("0123456789abcdef")


def open_dvc(place: Path) -> Shelf:
    """The project in a folder: where ``.dvc``, ``dvc.yaml`` or ``dvclive`` is."""
    return Shelf("dvc", place, "DVC project (dvc.lock, dvclive/ or experiments in git)", _find)


def _find(place: Path, notes: Notes) -> Sequence[RunSource]:
    if not place.is_dir():
        return []
    folder = Confined(place, notes)
    title = place.resolve().name or "dvc"
    cache = Cache(folder)
    found: list[RunSource] = []
    states: list[tuple[str, CommitTree]] = []
    for each, tree, made_ms in _experiments(folder, notes):
        where = f"refs/exps/{each.baseline[:7]}/{each.name}"
        states.append((where, tree))
        tags = {"baseline": each.baseline, "mlflow.source.git.commit": each.commit}
        found.append(DvcRun(tree, cache, f"{each.baseline}/{each.name}", title, where, made_ms, tags, notes))
    work = FolderTree(folder)
    contents = Reading(work, "workspace", Notes()).contents()
    if not (contents.metrics or contents.series or contents.params or contents.outs):
        return found
    for where, tree in states:
        if _same(work, tree, contents):
            notes.add("the working folder", "workspace", f"it is what the experiment {where} left behind")
            return found
    made_ms = max((folder.modified_ms(path) for path in contents.used), default=0)
    found.append(DvcRun(work, cache, "workspace", title, "workspace", made_ms, {}, notes))
    return found


def _experiments(folder: Confined, notes: Notes) -> Iterator[tuple[Experiment, CommitTree, int]]:
    if not folder.is_folder(".git"):
        if folder.is_file(".git"):
            notes.add(
                "experiments in git", ".git", "the repository lies elsewhere: name its main working folder"
            )
        return
    git = Confined(folder.root / ".git", notes)
    met = experiments(git, notes)
    program = git_program()
    if met and program is None:
        notes.add(f"{len(met)} experiments in git", ".git", "there is no git program to read them with")
        return
    objects = Objects(program or "", git)
    for each in met:
        try:
            tree, made_ms = objects.commit(each.commit)
        except Unreadable as error:
            notes.add("an experiment", f"refs/exps/{each.baseline[:7]}/{each.name}", str(error))
        else:
            yield each, CommitTree(tree, objects), made_ms


def _same(work: FolderTree, tree: CommitTree, contents: Contents) -> bool:
    try:
        return all(work.blob(path) == tree.blob(path) for path in dict.fromkeys(contents.used))
    except (DataError, Unreadable):
        return False


class Cache:
    """The local cache: ``files/md5/ab/…`` since DVC 3, ``ab/…`` before."""

    def __init__(self, folder: Confined) -> None:
        self.folder = folder

    def place(self, md5: str) -> str | None:
        """Where the bytes with this MD5 are, relative to the project; None where they are not."""
        stem, _, ending = md5.partition(".")
        if len(stem) != 32 or not _HEX.issuperset(stem) or ending not in ("", "dir"):
            return None
        for top in (".dvc/cache/files/md5", ".dvc/cache"):
            path = f"{top}/{md5[:2]}/{md5[2:]}"
            if self.folder.is_file(path):
                return path
        return None

    def inside(self, out: Out) -> list[tuple[str, str]]:
        """The files of a folder in the cache, each as path and MD5.

        Raises:
            DataError: its listing cannot be read.
            Unreadable: its listing is none.
        """
        listing = self.place(out.md5)
        if listing is None:
            raise Unreadable("the local cache does not hold it: dvc fetch brings it")
        try:
            met = parse_json(self.folder.read(listing, _MOST_LISTING))
        except ValueError as error:
            raise Unreadable("its listing in the cache is damaged") from error
        said = [mapping(each) for each in met[:_MOST_OUTS]] if isinstance(met, list) else []
        named = [(text_of(each.get("relpath")), text_of(each.get("md5"))) for each in said]
        return [(f"{out.path}/{path}", md5) for path, md5 in named if path]


class DvcRun:
    """One state of the project."""

    def __init__(
        self,
        tree: Tree,
        cache: Cache,
        id: str,
        title: str,
        where: str,
        made_ms: int,
        tags: dict[str, str],
        notes: Notes,
    ) -> None:
        self.where = where
        self._tree, self._cache, self._id, self._title = tree, cache, id, title
        self._made_ms, self._tags, self._notes = made_ms, tags, notes
        self._listed: dict[str, str] | None = None

    def run(self) -> ForeignRun:
        """See ``RunSource.run``."""
        found = self._contents()
        started = min((ms for ms in map(self._first_ms, found.series.values()) if ms), default=self._made_ms)
        return ForeignRun(
            id=self._id,
            experiment=self._title,
            name=self._id.rpartition("/")[2],
            status=RunStatus.FINISHED,
            started_ms=min(started, self._made_ms) or started,
            ended_ms=max(started, self._made_ms),
            params=found.params,
            tags={**self._tags, **found.tags},
            state=self._tags.get("mlflow.source.git.commit", ""),
        )

    def histories(self) -> Iterator[History]:
        """See ``RunSource.histories``."""
        found = self._contents()
        return gathered(lambda: self._points(found), self._notes, self.where)

    def files(self) -> Iterator[ForeignFile]:
        """See ``RunSource.files``."""
        sizes: dict[str, int | None] = {}
        for path, place in self._places().items():
            sizes[path] = self._cache.folder.size(place[1:]) if place.startswith("/") else None
        return in_order(sizes)

    def open(self, path: str) -> BinaryIO:
        """See ``RunSource.open``."""
        place = self._places().get(path)
        if place is None:
            raise gone(f"{self.where}: {path}", "there is no such file in this state")
        if place.startswith("/"):
            return self._cache.folder.open(place[1:])
        return BytesIO(self._tree.read(place, _MOST_FILE))

    def _contents(self) -> Contents:
        return Reading(self._tree, self.where, self._notes).contents()

    def _points(self, found: Contents) -> Iterator[Point]:
        for key, path in found.series.items():
            for step, at_ms, value in self._rows(key, path):
                yield key, step, at_ms or self._made_ms, value
        for key, (step, value) in found.metrics.items():
            yield key, step, self._made_ms, value

    def _first_ms(self, path: str) -> int:
        return next((at_ms for _, at_ms, _ in self._rows("", path, quiet=True)), 0)

    def _rows(self, key: str, path: str, *, quiet: bool = False) -> Iterator[tuple[int, int, float]]:
        """Step, instant (0 where it was not logged) and value of each line of DVCLive's table."""
        try:
            data = self._tree.read(path, _MOST_TABLE)
        except (DataError, Unreadable) as error:
            self._notes.add(path, self.where, str(error))
            return
        lines = iter(data.decode("utf-8", "replace").splitlines())
        names = next(lines, "").split("\t")
        column = {name: number for number, name in enumerate(names)}
        at, stamp = column.get("step"), column.get("timestamp")
        value = column.get(key.rpartition("/")[2], len(names) - 1)
        for number, line in enumerate(lines, 2):
            cells = line.split("\t")
            try:
                step = number - 2 if at is None else step_of(float(cells[at]))
                at_ms = 0 if stamp is None else step_of(float(cells[stamp] or 0))
                found = float(cells[value])
            except (ValueError, IndexError):
                step = None
            if step is None:
                if not quiet:
                    self._notes.add(f"line {number} of {path}", self.where, "it is no row of the table")
            else:
                yield step, at_ms or 0, found

    def _places(self) -> dict[str, str]:
        """Where the bytes of each artifact are: a path of the state, or ``/`` and a path of the folder."""
        if self._listed is None:
            found, names, listed = self._contents(), Names(), dict[str, str]()
            for path in dict.fromkeys(found.files):
                listed[names.take(path)] = path
            for out in found.outs.values():
                for path, place in self._out(out):
                    listed[names.take(path)] = place
            self._listed = listed
        return self._listed

    def _out(self, out: Out) -> Iterator[tuple[str, str]]:
        if not out.md5.endswith(".dir"):
            yield from self._cached(out.path, out.md5)
            return
        try:
            inside = self._cache.inside(out)
        except (DataError, Unreadable) as error:
            self._notes.add(f"output {out.path}", self.where, str(error))
            return
        for path, md5 in inside:
            yield from self._cached(path, md5)

    def _cached(self, path: str, md5: str) -> Iterator[tuple[str, str]]:
        place = self._cache.place(md5)
        if place is None and self._id == "workspace" and self._cache.folder.is_file(artifact_path(path)):
            place = artifact_path(path)
        if place is None and isinstance(self._tree, CommitTree) and self._tree.blob(path):
            yield path, path
        elif place is None:
            self._notes.add(
                f"output {path}", self.where, "the local cache does not hold it: dvc fetch brings it"
            )
        else:
            yield path, f"/{place}"
