"""Files that a command writes where somebody named them: what cannot be written is told as such, and is no fault."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from mlwright.errors import UsageError

STDOUT: Final = "-"


def put(file: Path, text: str) -> None:
    """Write a text to a file, or to stdout where it is ``-``.

    Raises:
        UsageError: it cannot be written.
    """
    if str(file) == STDOUT:
        click.echo(text, nl=False)
        return
    with writing(file):
        file.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """What is done inside writes to a file or folder that somebody named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise _refused(target, error.strerror or str(error)) from error


def make_folder(folder: Path) -> None:
    """Make a folder that somebody named, and those above it.

    Raises:
        UsageError: it cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def require_place(file: Path) -> None:
    """Before long work whose result goes to a file: is there a folder for it?

    Raises:
        UsageError: there is none.
    """
    if str(file) != STDOUT and not file.absolute().parent.is_dir():
        raise _refused(file, "there is no such folder")


def _refused(target: Path, why: str) -> UsageError:
    folder = target.absolute().parent
    command = f"ls -ld {folder}" if folder.exists() else f"mkdir -p {folder}"
    return UsageError("it cannot be written", where=str(target), why=why, next_command=command)
