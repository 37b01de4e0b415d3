"""A progress bar on stderr, where somebody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from mlwright.doors.cli.show import stderr
from mlwright.doors.reports.words import clean
from mlwright.engineer.progress import Progress as Report
from mlwright.engineer.progress import silent


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A callback that draws what is done of how much; it is silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=stderr(), transient=True) as drawn:

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = drawn.add_task(clean(what), total=total)
            drawn.update(tasks[what], completed=done, total=total)

        yield show
