"""``gc``: remove for good what was deleted a while ago, and give the disk back."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from rich.console import RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.errors import UsageError
from mlwright.model.artifacts import Collected
from mlwright.model.durations import parse_duration
from mlwright.model.tracking import Removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was removed, or would be: records that had been deleted, and bytes that nothing names."""

    records: Removed
    blobs: Collected


@command("gc", example="mlwright gc --dry-run\nmlwright gc --older-than 90d")
@click.option("--older-than", default="30d", show_default=True, help="How long ago, such as 36h, 30d or 8w.")
@click.option("--dry-run", is_flag=True, help="Remove nothing, and say what would go.")
def gc(door: Door, older_than: str, dry_run: bool) -> None:
    """Remove for good the runs, experiments and logged models that were deleted, and bytes that nothing names.

    Artifacts, model versions and checkpoints keep their bytes; so does whatever was stored within the last day. A
    server may run meanwhile. A dry run does not count the bytes of runs that are only marked as deleted.
    """
    span = _span(older_than)
    # The database and its libraries are not needed for --help.
    from mlwright.platform.tracking.artifacts import LEAST_AGE
    from mlwright.wiring.tracking import find_storage, open_tracking

    place = find_storage(Path.cwd(), project=door.start)
    tracking = open_tracking(database=place.database, artifacts=place.artifacts, state=place.state)
    try:
        with door.working("looking for what nothing names"):
            records = tracking.experiments.collect(span, dry_run=dry_run)
            if not dry_run:
                tracking.artifacts.uploads.clear()
            blobs = tracking.artifacts.collect(older_than=max(span, LEAST_AGE), dry=dry_run)
    finally:
        tracking.close()
    door.show(Swept(records=records, blobs=blobs), _view)


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as fault:
        raise UsageError(
            f"--older-than cannot be read: {fault}", next_command="mlwright gc --older-than 30d"
        ) from fault


def _view(swept: Swept) -> RenderableType:
    records, blobs = swept.records, swept.blobs
    word = "would be removed" if blobs.dry else "were removed"
    models = len(records.logged_models)
    lines = [
        f"{len(records.experiments)} experiments, {len(records.runs)} runs and {models} logged models {word}",
        f"{records.files} artifacts of together {_size(records.size)} {word} with them",
        f"{blobs.blobs} blobs of together {_size(blobs.size)} {word}; {blobs.kept} old ones are in use",
    ]
    if blobs.unfinished:
        lines.append(f"{blobs.unfinished} unfinished files were removed")
    lines += [f"left alone, as it is not with us: {each}" for each in records.elsewhere]
    return "\n".join(lines)


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
