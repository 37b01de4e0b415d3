"""What a change brought: the problems on its lines, and those that the revision before it did not have."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from mlwright.engineer.baseline import Problem, problems
from mlwright.engineer.collect.changes import files_before
from mlwright.engineer.collect.deltas import Broken
from mlwright.engineer.collect.git_objects import Objects
from mlwright.engineer.lines import Lines
from mlwright.errors import UsageError
from mlwright.model.assessment import Assessment
from mlwright.model.findings import Finding, Outcome

Changed = Mapping[str, frozenset[int] | None]
"""Changed lines by path; None where all of them are new."""

_MOST_BYTES: Final = 2 * 1024**3
_LARGEST: Final = 32 * 1024**2
_NEVER: Final = frozenset("\\\0")
_BEFORE: Final = (Outcome.FALSE, Outcome.ERROR, Outcome.NOT_AVAILABLE, Outcome.NOT_SUPPORTED)


def brought(
    found: Sequence[Problem], changed: Changed, before: Assessment, lines: Lines
) -> tuple[Problem, ...]:
    """The problems, each marked as inherited where the change did not bring it.

    A problem is inherited where the revision before had the same one (by its fingerprint), or where it stands on no
    changed line and what it asks did not hold before either. What was not known before counts as not holding, and a
    question that another one blocked too: whoever puts the first thing right must not be stopped by the second.

    Args:
        found: the problems of now.
        changed: which lines changed since.
        before: the report on the revision before.
        lines: the text of the revision before.
    """
    fingerprints = {each.fingerprint for each in problems(before, lines)}
    missing = {each.id for each in before.findings if each.outcome in _BEFORE or _blocked(each)}
    return tuple(
        replace(each, inherited=True)
        if each.fingerprint in fingerprints or (each.finding.id in missing and not _touched(each, changed))
        else each
        for each in found
    )


@contextmanager
def revision(root: Path, name: str) -> Iterator[Path]:
    """The same folder before the change: as it was where a revision and HEAD part, written to a temporary folder.

    Neither git nor anything that stands in the repository is run. What is too large to be read stands as a file of the
    size that it has now.

    Raises:
        UsageError: the folder is in no git repository, the repository cannot be read, or it is too large.
        NotFound: there is no such revision.
    """
    common, files = files_before(root, name)
    with tempfile.TemporaryDirectory(prefix="mlwright-revision-") as folder:
        into = Path(folder).resolve() / root.resolve().name
        into.mkdir()
        _write(root, common, files, into)
        yield into


def _write(root: Path, common: Path, files: Mapping[str, str], into: Path) -> None:
    objects, written = Objects(common, _LARGEST), 0
    for path in sorted(files):
        parts = path.split("/")
        # Git itself refuses such names; a repository that was made to do harm may hold them all the same.
        if any(part in ("", ".", "..") or part.lower() == ".git" or set(part) & _NEVER for part in parts):
            continue
        content: bytes | None = None
        for fresh in (False, True):
            objects = Objects(common, _LARGEST) if fresh else objects  # each reads a limited amount in all
            with suppress(Broken):
                content = objects.read(files[path])[1]
                break
        written += len(content or b"")
        if written > _MOST_BYTES:
            raise UsageError("the revision is larger than 2 GiB, too large to compare with")
        with suppress(OSError):  # a name that this file system does not take
            _put(into.joinpath(*parts), content, root.joinpath(*parts))


def _put(file: Path, content: bytes | None, now: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        file.write_bytes(content)
    elif now.is_file() and not now.is_symlink():
        file.touch()
        os.truncate(file, now.stat().st_size)


def _blocked(finding: Finding) -> bool:
    return "blocked_by" in finding.values


def _touched(problem: Problem, changed: Changed) -> bool:
    place = problem.location
    if place is None or place.path not in changed:
        return False
    lines = changed[place.path]
    # A notebook's changed lines are those of its JSON, which say nothing about the lines of a cell.
    return lines is None or place.line is None or (place.cell is None and place.line in lines)


Assess = Callable[[Path], Assessment]
"""How the revision before is assessed: the same way as now."""
