"""The facts of a repository as they would be: only what changes is read again, from a folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlwright.engineer.collect.collect import collect
from mlwright.engineer.facts.repository import Repository
from mlwright.model.scans import Scan
from mlwright.ports.scanner import Scanner

T = TypeVar("T")


def forecast(
    repository: Repository, changes: Mapping[str, bytes], scanners: Sequence[Scanner] = ()
) -> Repository:
    """The facts once these files are written. What they are for, and what git knows, stays as it was.

    Args:
        repository: the facts as they are.
        changes: new contents by path.
        scanners: those that look at the new files.
    """
    with TemporaryDirectory(prefix="mlwright-fix-") as folder:
        for path, content in changes.items():
            place = Path(folder) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        new = collect(Path(folder), scanners=scanners)
    gone = frozenset(changes)
    return replace(
        repository,
        files=_merged(repository.files, new.files, gone),
        python=_merged(repository.python, new.python, gone),
        documents=_merged(repository.documents, new.documents, gone),
        dockerfiles=_merged(repository.dockerfiles, new.dockerfiles, gone),
        kubernetes=_merged(repository.kubernetes, new.kubernetes, gone),
        containers=_merged(repository.containers, new.containers, gone),
        workflows=_merged(repository.workflows, new.workflows, gone),
        resources=_merged(repository.resources, new.resources, gone),
        pipelines=_merged(repository.pipelines, new.pipelines, gone),
        alerts=_merged(repository.alerts, new.alerts, gone),
        requirements=_merged(repository.requirements, new.requirements, gone),
        locks=_merged(repository.locks, new.locks, gone),
        indexes=_merged(repository.indexes, new.indexes, gone),
        texts=_merged(repository.texts, new.texts, gone),
        ignored=new.ignored if ".gitignore" in changes else repository.ignored,
        scans=tuple(_scan(each, new.scans, gone) for each in repository.scans),
    )


def path_of(fact: object) -> str:
    """The path of the file that a fact was read from."""
    for holder in ("path", "at", "document"):
        found = getattr(fact, holder, None)
        if found is not None:
            return found if isinstance(found, str) else path_of(found)
    raise TypeError(f"{type(fact).__name__} names no file")


def _merged(old: tuple[T, ...], new: tuple[T, ...], gone: frozenset[str]) -> tuple[T, ...]:
    return tuple(sorted([each for each in old if path_of(each) not in gone] + list(new), key=path_of))


def _scan(old: Scan, new: Sequence[Scan], gone: frozenset[str]) -> Scan:
    hits = [each for each in old.hits if each.location.path not in gone]
    for scan in new:
        if (scan.topic, scan.scanner) == (old.topic, old.scanner):
            hits += scan.hits
    hits.sort(key=lambda each: (each.location.path, each.location.line or 0, each.rule))
    return replace(old, hits=tuple(hits))
