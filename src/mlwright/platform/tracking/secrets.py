"""Secrets by reference, ``file:PATH``: what a client sends is written to a file at once, and never to the database."""

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final
from uuid import uuid4

from mlwright.errors import StorageError, UsageError

_PREFIX: Final = "webhook-"
_BYTES: Final = 16 * 1024


def keep_secret(folder: Path, secret: str) -> str:
    """Write what a client sent to a new file that only its owner may read, and return a reference to it.

    A text such as ``file:/etc/passwd`` is a secret like any other: a client must not choose what the server reads.

    Args:
        folder: where files of secrets are; made when needed.
        secret: the secret itself.

    Raises:
        UsageError: it is too long to be one.
        StorageError: the file cannot be written.
    """
    if len(secret.encode()) > _BYTES:
        raise UsageError("a webhook's secret has at most 16 KiB")
    path = folder / f"{_PREFIX}{uuid4().hex}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise StorageError(
            "the webhook's secret cannot be kept",
            where=str(folder),
            why=fault.strerror,
            next_command="mlwright doctor",
        ) from fault
    return f"file:{path}"


def read_secret(reference: str) -> str:
    """What a reference stands for. No message shows it.

    Raises:
        UsageError: the file cannot be read.
    """
    name = reference.removeprefix("file:")
    try:
        value = _read(Path(name))
    except (OSError, UnicodeDecodeError):
        raise UsageError("the webhook's secret: its file cannot be read") from None
    # A file that somebody wrote with an editor ends with a line break; one of ours holds the secret alone.
    return value if Path(name).name.startswith(_PREFIX) else value.strip()


def _read(path: Path) -> str:
    """The text of a small file; never of a device without end, or of a pipe that nobody writes to."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("no regular file")
        text = file.read(_BYTES + 1)
    if len(text) > _BYTES:
        raise OSError("too long")
    return text.decode("utf-8")


def forget_secrets(folder: Path, kept: Collection[str], *, older_than: float) -> None:
    """Remove files that clients' secrets were in and that nothing refers to any more.

    Args:
        folder: where files of secrets are.
        kept: references that are in use.
        older_than: seconds since 1970; a younger file may belong to a transaction that is not committed yet.
    """
    if not folder.is_dir():
        return
    for path in folder.glob(f"{_PREFIX}*"):
        if f"file:{path}" not in kept and path.stat().st_mtime < older_than:
            path.unlink(missing_ok=True)
