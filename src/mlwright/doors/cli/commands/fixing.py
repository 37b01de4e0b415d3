"""``assess --fix``: show what would change, ask, write, and say what turned."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door
from mlwright.doors.reports.diff import fix_plan, fix_result
from mlwright.doors.reports.progress import progress_bar
from mlwright.engineer.fixes.catalogue import named
from mlwright.errors import NotFound, UsageError
from mlwright.model.fixes import FixPlan, FixResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A plan, and what came of it; None where nothing was written."""

    plan: FixPlan
    result: FixResult | None


def fix(door: Door, path: Path, words: tuple[str, ...], *, yes: bool, dry_run: bool) -> None:
    """Plan the fixes, show the diff, and write it on consent.

    Args:
        door: the command at work.
        path: the repository's folder.
        words: what was given to ``--fix``: ids, also several with commas between them; "" for all that mend something.
        yes: consent was given on the command line.
        dry_run: nothing is to be written.
    """
    path, ids = _untangled(path, words)
    named(ids)
    typed = f"mlwright assess {path} --fix{' ' + ','.join(ids) if ids else ''}"
    if not (yes or dry_run) and (door.as_json or not sys.stdin.isatty()):
        raise UsageError(
            "nobody can be asked here whether to change files",
            next_command=f"{typed} --dry-run, then {typed} --yes",
        )
    with progress_bar() as progress:
        plan = door.engineer.plan_fixes(path, ids, progress=progress)
    if not door.as_json:
        door.show(plan, lambda plan: fix_plan(plan, whole=dry_run))
    result = None
    if plan.changes and not dry_run and (yes or click.confirm("Write these changes?", err=True)):
        with progress_bar() as progress:
            result = door.engineer.apply(plan, progress=progress)
    if door.as_json or result is not None:
        door.show(Fixed(plan=plan, result=result), _came_of_it)
    refused = ids and plan.refused
    declined = bool(plan.changes) and result is None and not dry_run
    door.finish(well=not refused and not declined)


def _came_of_it(fixed: Fixed) -> RenderableType:
    return Group("", fix_result(fixed.result)) if fixed.result is not None else ""


def _untangled(path: Path, words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """Path and ids as they were meant: ``--fix ../churn`` names a folder, for an id may be left out."""
    ids = tuple(dict.fromkeys(id for word in words for id in word.split(",") if id))
    try:
        named(ids)
    except NotFound:
        folders = [each for each in words if Path(each).is_dir()]
        if str(path) == "." and len(folders) == 1 and "/" in f"{folders[0]}/":
            return Path(folders[0]), tuple(id for id in ids if id != folders[0])
        raise
    return path, ids
