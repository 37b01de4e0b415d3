"""Where a project is, and where it keeps its state."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.adapters.config.references import Resolver
from mlwright.errors import SettingsError

FILE_NAME: Final = "mlwright.toml"

_KEYS: Final = frozenset({"state", "database", "artifacts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The state folder, an SQLAlchemy URL, and a folder or fsspec URL."""

    state: Path
    database: str
    artifacts: str


def find_file(start: Path) -> Path | None:
    """The nearest ``mlwright.toml`` in the folder or one above it."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    return None


def find_project(start: Path) -> Path:
    """The nearest ``mlwright.toml`` in the folder or one above it.

    Raises:
        SettingsError: there is none up to the root of the file system.
    """
    found = find_file(start)
    if found is None:
        raise SettingsError(
            f"no {FILE_NAME} here or in a folder above",
            where=str(start.resolve()),
            why="a project is the folder that holds this file",
            next_command="mlwright init",
        )
    return found


def default_storage(state: Path) -> StorageSettings:
    """Where state is kept without settings: all of it in one folder."""
    return _resolved(Resolver(state.parent, {}), state, {})


def plain_storage(
    table: object, root: Path, environment: Mapping[str, str] | None = None
) -> StorageSettings | None:
    """What the table ``storage`` says, or None where it is not as it should be."""
    if not isinstance(table, dict) or not _is_plain(table):
        return None
    resolver = Resolver(root, os.environ if environment is None else environment)
    found = _resolved(resolver, resolver.folder(str(table.get("state", ".mlwright"))), table)
    return None if resolver.faults else found


def read_toml(path: Path) -> dict[str, object]:
    """Parse one file.

    Raises:
        SettingsError: it is absent, cannot be read, or is not TOML (``where`` has line and column).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError("there is no such file", where=str(path), next_command="mlwright init") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"byte {error.start} is not UTF-8", where=str(path), next_command=f"save {path.name} as UTF-8"
        ) from error
    except OSError as error:
        raise SettingsError("the file cannot be read", where=str(path), why=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)", text)
        at = f"{path}:{found[1]}:{found[2]}" if found else str(path)
        what = text.replace(found[0], "") if found else text.replace(" (at end of document)", " at the end")
        raise SettingsError(
            f"not valid TOML: {what}", where=at, next_command=f"correct {path.name}, then run again"
        ) from error


def _is_plain(table: Mapping[str, object]) -> bool:
    return table.keys() <= _KEYS and all(isinstance(each, str) and each for each in table.values())


def _resolved(resolver: Resolver, state: Path, table: Mapping[str, object]) -> StorageSettings:
    database, artifacts = table.get("database"), table.get("artifacts")
    return StorageSettings(
        state=state,
        database=resolver.database(None if database is None else str(database), state),
        artifacts=resolver.artifacts(None if artifacts is None else str(artifacts), state),
    )
