"""Artifacts by path, as rows: which content lies where. The paths are keys and never names of files here.

A folder is there as long as something lies below it, as in an object store; but a file cannot have others below it, as
in a file system, since whoever downloads both would have no place for one of them.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from mlwright.errors import BadRequest, Conflict, NotFound, Unsupported
from mlwright.model.artifacts import ArtifactEntry, ArtifactFile
from mlwright.model.ids import Digest
from mlwright.model.instants import from_micros, to_micros
from mlwright.stages.tracking.artifact_tables import PATH_BYTES, files
from mlwright.stages.tracking.model_tables import logged_models
from mlwright.stages.tracking.tables import runs

NAME_BYTES: Final = 255
"""Bytes of one name in a path: no common file system could restore a longer one."""

_ROWS_AT_ONCE: Final = 500
_DECODINGS: Final = 10
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_AFTER_SLASH: Final = "0"
"""The sign that follows the slash: what lies below a folder is between the two."""


def clean_path(text: str) -> str:
    """A path as it is stored: percent-decoded until nothing is left to decode, without empty names and dots.

    The clients of the MLflow protocol decode the names that they are told, so a name must not change by it.
    An empty text is the top.

    Raises:
        BadRequest: the path leads out of its folder on some system, is absolute, too long, or holds signs that
            the protocol's clients refuse.
    """
    path = text
    for _ in range(_DECODINGS):
        path, before = unquote(path), path
        if path == before:
            break
    else:
        raise _unsafe(text, "it is percent-encoded too often")
    # As the protocol's own server does; a name with a line break would break lists and headers.
    path = "".join(f"%{ord(sign):02x}" if ord(sign) < 32 or ord(sign) == 127 else sign for sign in path)
    if "%00" in path:
        raise _unsafe(text, "it holds a NUL")
    if "#" in path or "\\" in path:
        raise _unsafe(text, "the sign # or \\ is in it, which clients cannot send or take for a separator")
    if path.startswith("/") or path.lower().startswith("file:"):
        raise _unsafe(text, "it is absolute")
    names = [name for name in path.split("/") if name not in {"", "."}]
    if ".." in names or any(_DRIVE.match(name) for name in names):
        raise _unsafe(text, "it leads out of its folder")
    try:
        lengths = [len(name.encode("utf-8")) for name in names]
    except UnicodeEncodeError:
        raise _unsafe(text, "it is not Unicode") from None
    if sum(lengths) + len(lengths) > PATH_BYTES or max(lengths, default=0) > NAME_BYTES:
        raise _unsafe(text, f"it is longer than {PATH_BYTES:,} bytes, or a name in it than {NAME_BYTES}")
    return "/".join(names)


def path_of_root(root: str) -> str:
    """The path of an artifact root of ours, such as ``mlflow-artifacts:/0/<run>/artifacts``.

    Raises:
        Unsupported: the root is elsewhere, where only the client itself can go.
    """
    scheme, _, rest = root.partition(":")
    if scheme == "mlflow-artifacts":
        # mlflow-artifacts:/path, or mlflow-artifacts://host/path
        return clean_path(rest[2:].partition("/")[2] if rest.startswith("//") else rest.lstrip("/"))
    _, anchor, below = rest.partition("/api/2.0/mlflow-artifacts/artifacts/")
    if scheme in {"http", "https"} and anchor:
        return clean_path(below)
    raise Unsupported(
        "these artifacts are kept where this server does not go",
        where=root,
        why="the experiment was made with an artifact location of its own; clients read and write there directly",
    )


def root_of_run(tx: Connection, run: str) -> str:
    """The artifact root of a run, deleted ones too.

    Raises:
        NotFound: there is no such run.
    """
    root = tx.scalar(select(runs.c.artifact_root).where(runs.c.id == run))
    if root is None:
        raise NotFound(f"Run with id={run} not found")
    return str(root)


def root_of_logged_model(tx: Connection, model: str) -> str:
    """The artifact root of a logged model.

    Raises:
        NotFound: there is no such logged model, or it was deleted.
    """
    root = tx.scalar(
        select(logged_models.c.artifact_root).where(
            logged_models.c.id == model, logged_models.c.deleted_at.is_(None)
        )
    )
    if root is None:
        raise NotFound(f"Logged model with ID '{model}' not found.")
    return str(root)


def find_file(tx: Connection, path: str) -> ArtifactFile | None:
    """The file at a path, or None."""
    row = tx.execute(select(files).where(files.c.path == path)).one_or_none()
    return _file(row) if row else None


def is_folder(tx: Connection, path: str) -> bool:
    """Whether something lies below a path."""
    return tx.scalar(select(files.c.path).where(_below(path)).limit(1)) is not None


def check_free(tx: Connection, path: str) -> None:
    """See that a file can be put at a path.

    Raises:
        Conflict: a folder is there, or a file is where one of the path's folders would be.
        BadRequest: the path is the top.
    """
    if not path:
        raise BadRequest("an artifact needs a path", where="path")
    names = path.split("/")
    above = ["/".join(names[:number]) for number in range(1, len(names))]
    taken = tx.scalar(select(files.c.path).where(files.c.path.in_(above)).limit(1)) if above else None
    if taken is not None:
        raise Conflict(f"{taken!r} is a file, so that nothing can be put below it", where=path)
    if is_folder(tx, path):
        raise Conflict("a folder with files is at this path, so that no file can be put there", where=path)


def save_file(tx: Connection, file: ArtifactFile) -> None:
    """Put a file at its path; one that was there is replaced.

    Raises:
        Conflict: see :func:`check_free`.
    """
    check_free(tx, file.path)
    row = {"digest": file.digest, "size": file.size, "modified_at": to_micros(file.modified)}
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    upsert = insert(files).values(path=file.path, **row)
    tx.execute(upsert.on_conflict_do_update(index_elements=["path"], set_=row))


def list_folder(tx: Connection, path: str) -> tuple[ArtifactEntry, ...]:
    """What lies directly in a folder, by name; nothing where there is no such folder.

    However much lies below the folders in it, of each only about one page of rows is read.
    """
    start = f"{path}/" if path else ""
    found: dict[str, ArtifactEntry] = {}
    after, including = start, True
    while True:
        page = tx.execute(
            select(files.c.path, files.c.size)
            .where(
                files.c.path >= after if including else files.c.path > after,
                *([files.c.path < path + _AFTER_SLASH] if path else []),
            )
            .order_by(files.c.path)
            .limit(_ROWS_AT_ONCE)
        ).all()
        for row in page:
            name, slash, _ = row.path[len(start) :].partition("/")
            found.setdefault(
                name,
                ArtifactEntry(path=start + name, is_folder=bool(slash), size=None if slash else row.size),
            )
        if len(page) < _ROWS_AT_ONCE:
            return tuple(found[name] for name in sorted(found))
        last, slash, _ = page[-1].path[len(start) :].partition("/")
        # Within a folder, go on behind all of it.
        after, including = (start + last + _AFTER_SLASH, True) if slash else (start + last, False)


def files_below(tx: Connection, path: str) -> Iterator[ArtifactFile]:
    """All files below a path, in order; of one file the file itself."""
    wanted = select(files).order_by(files.c.path)
    if path:
        own = find_file(tx, path)
        if own is not None:
            yield own
            return
        wanted = wanted.where(_below(path))
    for row in tx.execute(wanted).yield_per(_ROWS_AT_ONCE):
        yield _file(row)


def delete_below(tx: Connection, path: str) -> int:
    """Delete the file at a path, or all files below it; how many there were. The top is never deleted whole."""
    if not path:
        return 0
    gone = tx.execute(delete(files).where(files.c.path == path)).rowcount
    return gone + tx.execute(delete(files).where(_below(path))).rowcount


def size_below(tx: Connection, path: str) -> tuple[int, int]:
    """How many files lie below a path, and their bytes together."""
    row = tx.execute(select(func.count(), func.coalesce(func.sum(files.c.size), 0)).where(_below(path))).one()
    return int(row[0]), int(row[1])


def _below(path: str) -> ColumnElement[bool]:
    """A range of the index: no pattern, so that no sign in a name means anything."""
    if not path:
        return files.c.path >= ""
    return and_(files.c.path >= f"{path}/", files.c.path < path + _AFTER_SLASH)


def _file(row: Row[tuple[str, str, int, int]]) -> ArtifactFile:
    return ArtifactFile(
        path=row.path, size=row.size, digest=Digest(row.digest), modified=from_micros(row.modified_at)
    )


def _unsafe(path: str, why: str) -> BadRequest:
    return BadRequest("Invalid path", where=repr(path[:200]), why=why)
