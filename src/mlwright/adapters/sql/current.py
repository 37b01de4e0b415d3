"""Whether the database is up to date, asked without Alembic: 0.2 s that only a database with another schema needs."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect

from mlwright.adapters.sql.engine import reading

_FILE: Final = re.compile(r"v(\d+)_\w+\.py")


def is_current(engine: Engine, scripts: Path = Path(__file__).parent / "migrations") -> bool:
    """Whether the schema is the newest that this version writes.

    Migrations are named for their revision (``v0001_….py`` is ``0001``), one after the other.

    Raises:
        DatabaseUnavailable: the database cannot be read.
    """
    newest = max(found[1] for found in map(_FILE.fullmatch, _names(scripts)) if found)
    with reading(engine).begin() as tx:
        if not inspect(tx).has_table("alembic_version"):
            return False
        return tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [newest]


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]
