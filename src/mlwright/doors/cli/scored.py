"""What ``predict`` shows of files and streams that are scored."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from mlwright.doors.cli.show import pairs, stderr, table
from mlwright.platform.scoring import BatchReport, Came, Share, StreamReport, Tell, silent


@contextmanager
def scoring_bar(*, quiet: bool) -> Iterator[Tell]:
    """Draws how far a job is on stderr: its share, rows a second, the time left. Silent where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TextColumn("{task.fields[speed]:,.0f} rows/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as drawn:
        task = drawn.add_task("scoring", total=1.0, rows=0, speed=0.0)

        def tell(now: Share) -> None:
            drawn.update(task, completed=now.share, rows=now.rows, speed=now.rows / max(now.seconds, 1e-3))

        yield tell


def scored_view(report: BatchReport) -> RenderableType:
    """What came of files, and which fields were wrong."""
    parts: list[RenderableType] = [
        pairs(
            {
                "output": report.output,
                "version": ", ".join(report.versions),
                "rows": report.rows,
                "answered": report.written,
                "rejected": report.rejected or None,
                "flagged": report.flagged or None,
                "parts": _parts(report),
                "rows/s": round(report.rows_per_second) or None,
            }
        )
    ]
    for view, rows in sorted(report.missed.items()):
        said = f"feature view {view} knew nothing for {rows:,} rows: mlwright features"
        parts.append(Text(said, style="yellow"))
    if report.absent:
        said = f"not in the input, and taken as missing: {', '.join(report.absent)}"
        parts.append(Text(said, style="yellow"))
    if report.faults:
        rows_of = sorted(report.faults.items(), key=lambda each: (-each[1], each[0]))
        parts.append(table(["field", "rejected rows#"], rows_of))
        parts.append(Text(f"why: {report.rejected_at}", style="dim"))
    return Group(*parts)


def _parts(report: BatchReport) -> str:
    there = f", {report.found_done:,} of them were there" if report.found_done else ""
    return f"{report.parts:,}{there}"


def came_line(one: Came) -> str:
    """One file of a folder that is watched."""
    name = Path(one.path).name
    if one.report is None:
        return f"{name}: put aside in {one.put}: {one.error.what if one.error else ''}"
    rejected = f", {one.report.rejected:,} rejected" if one.report.rejected else ""
    return f"{name}: {one.report.written:,} rows answered{rejected} by {', '.join(one.report.versions)}"


def stream_view(report: StreamReport) -> RenderableType:
    """What came of the records of a stream."""
    return pairs(
        {
            "stream": report.stream,
            "records": report.records,
            "answered": report.written,
            "put aside": report.buried or None,
            "taken over": report.claimed or None,
            "batches": report.batches,
        }
    )
