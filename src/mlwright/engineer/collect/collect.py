"""A repository → its facts, in one go: the files are listed, read, and understood. Nothing in it is run or imported."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from mlwright.engineer.collect.configuration import read_configuration
from mlwright.engineer.collect.history import history_of
from mlwright.engineer.collect.pipelines_python import pipelines_in
from mlwright.engineer.collect.profile import profile_of
from mlwright.engineer.collect.reading import SourceReader
from mlwright.engineer.collect.walk import walk
from mlwright.engineer.facts.repository import FileEntry, Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.engineer.progress import Progress, silent
from mlwright.model.scans import Scan
from mlwright.ports.scanner import Scanner


def collect(
    root: Path,
    *,
    scanners: Sequence[Scanner] = (),
    server: ServerFacts | None = None,
    progress: Progress = silent,
    only: Collection[str] = (),
) -> Repository:
    """Everything that probes may ask of the repository at ``root``.

    Args:
        root: its folder.
        scanners: programs of others that look at some of the files.
        server: what runs, if it was asked.
        progress: told how far the reading has come.
        only: read these files (POSIX paths from the root) and nothing else, where some are named.

    Raises:
        UsageError: ``root`` is not a folder.
    """
    root = root.resolve()
    progress("files", 0, 1)
    walked = walk(root)
    if only:
        walked = replace(walked, files=tuple(each for each in walked.files if each.path in only))
    progress("files", 1, 1)
    sources = SourceReader(root, walked.files)
    try:
        configuration = read_configuration(root, walked.files)
        history, broken = history_of(root, limit=2000)
        scans = _scan(root, walked.files, scanners, progress)
        python = sources.finish(progress)
    finally:
        sources.close()
    pipelines = (*configuration.pipelines, *pipelines_in(python.files))
    return Repository(
        name=root.name,
        files=walked.files,
        profile=profile_of(python.files, configuration, walked.files),
        python=python.files,
        documents=configuration.documents,
        dockerfiles=configuration.dockerfiles,
        kubernetes=configuration.kubernetes,
        containers=configuration.containers,
        workflows=configuration.workflows,
        resources=configuration.resources,
        pipelines=tuple(sorted(pipelines, key=lambda each: (each.at, each.tool, each.name))),
        alerts=configuration.alerts,
        requirements=configuration.requirements,
        locks=configuration.locks,
        indexes=configuration.indexes,
        texts=configuration.texts,
        ignored=configuration.ignored,
        history=history,
        scans=scans,
        server=server,
        unread=tuple(
            sorted({*walked.unread, *python.unread, *configuration.unread, *([broken] if broken else [])})
        ),
    )


def _scan(
    root: Path, files: Sequence[FileEntry], scanners: Sequence[Scanner], progress: Progress
) -> tuple[Scan, ...]:
    scans = []
    for done, scanner in enumerate(scanners):
        progress(f"scan for {scanner.topic}", done, len(scanners))
        scans.append(
            scanner.scan(root, [each.path for each in files if scanner.wants(each.path, each.bytes)])
        )
    return tuple(sorted(scans, key=lambda each: (each.topic, each.scanner)))
