"""The SQLite file of an MLflow server, read without a server.

Tables as in mlflow/store/tracking/dbmodels/models.py and mlflow/store/model_registry/dbmodels/models.py; columns that
came later (data sets, aliases) may be missing from an older file.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from mlwright.adapters.mlflow.records import (
    MOST_EXPERIMENTS,
    MOST_RUNS,
    MOST_VERSIONS,
    RunRecord,
    VersionRecord,
    facts_of,
)
from mlwright.errors import ServerUnavailable
from mlwright.model.running import ServerFacts

_PATIENCE_S: Final = 20.0
_RUNS: Final = f"""
    SELECT runs.run_uuid, experiments.name, runs.name, runs.status, runs.start_time, runs.end_time
    FROM runs JOIN experiments ON experiments.experiment_id = runs.experiment_id
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' {{only}}
    ORDER BY runs.start_time DESC, runs.run_uuid LIMIT {MOST_RUNS + 1}
"""
_VERSIONS: Final = f"""
    SELECT v.name, v.version, v.creation_time, v.run_id, v.current_stage, v.description, m.description
    FROM model_versions v JOIN registered_models m ON m.name = v.name
    WHERE v.current_stage IS NULL OR v.current_stage <> 'Deleted_Internal'
    ORDER BY v.creation_time DESC, v.name, v.version DESC LIMIT {MOST_VERSIONS + 1}
"""


class MlflowDatabase:
    """One SQLite file of MLflow.

    Args:
        path: the file.
        shown: the URI as a report may show it.
        experiments: names to look at; all of them without.
    """

    def __init__(self, path: Path, shown: str, *, experiments: Sequence[str] = ()) -> None:
        self._path, self._shown = path, shown
        self._wanted = tuple(dict.fromkeys(experiments))[:MOST_EXPERIMENTS]

    @property
    def source(self) -> str:
        """The URI."""
        return self._shown

    def facts(self, seen: datetime) -> ServerFacts:
        """See ``TrackingServer.facts``. The file is opened for reading only, and no longer than 20 s."""
        notes: list[str] = []
        try:
            with self._open() as database:
                runs = self._runs(database, notes)
                versions = _versions(database, notes)
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            raise ServerUnavailable(
                "this is not a readable database of MLflow",
                where=self.source,
                why=f"{type(error).__name__}: {error}",
                next_command=f"mlflow db upgrade {self.source}, or name another file",
            ) from error
        if self._wanted:
            ours = {each.id for each in runs}
            versions = [each for each in versions if each.run in ours]
        return facts_of(self.source, seen, runs, versions, notes)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise FileNotFoundError("there is no such file")
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        end = monotonic() + _PATIENCE_S
        with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as database:
            # A file of others may hold views that never end; its functions are not to be trusted either.
            database.set_progress_handler(lambda: monotonic() > end, 100_000)
            database.execute("PRAGMA query_only = ON")
            database.execute("PRAGMA trusted_schema = OFF")
            yield database

    def _runs(self, database: sqlite3.Connection, notes: list[str]) -> list[RunRecord]:
        only = f"AND experiments.name IN ({_marks(self._wanted)})" if self._wanted else ""
        rows = database.execute(_RUNS.format(only=only), self._wanted).fetchall()
        if len(rows) > MOST_RUNS:
            notes.append(f"only the newest {MOST_RUNS} runs were read")
        rows = rows[:MOST_RUNS]
        ids = [str(row[0]) for row in rows]
        params = _grouped(database, "SELECT run_uuid, key, '' FROM params", "run_uuid", ids)
        metrics = _grouped(database, "SELECT run_uuid, key, '' FROM latest_metrics", "run_uuid", ids)
        tags = _grouped(
            database, "SELECT run_uuid, key, substr(value, 1, 500) FROM tags", "run_uuid", ids, "key LIKE '%'"
        )
        linked = "SELECT destination_id, source_id, '' FROM inputs"
        data = _grouped(database, linked, "destination_id", ids, "source_type = 'DATASET'")
        made = "SELECT source_id, destination_id, '' FROM inputs"
        models = _grouped(database, made, "source_id", ids, "source_type = 'RUN_OUTPUT'")
        return [
            RunRecord(
                id=str(id),
                experiment=str(experiment),
                name=str(name or ""),
                status=str(status),
                start_ms=int(start or 0),
                end_ms=int(end) if end else None,
                params=tuple(params.get(id, {})),
                metrics=tuple(metrics.get(id, {})),
                tags=tags.get(id, {}),
                datasets=len(data.get(id, {})),
                models=len(models.get(id, {})),
            )
            for id, experiment, name, status, start, end in rows
        ]


def _versions(database: sqlite3.Connection, notes: list[str]) -> list[VersionRecord]:
    rows = database.execute(_VERSIONS).fetchall()
    if len(rows) > MOST_VERSIONS:
        notes.append(f"only the newest {MOST_VERSIONS} model versions were read")
    aliases: dict[tuple[str, str], list[str]] = {}
    for name, alias, version in _optional(
        database, "SELECT name, alias, version FROM registered_model_aliases ORDER BY name, alias LIMIT 2000"
    ):
        aliases.setdefault((str(name), str(version)), []).append(str(alias))
    prompts = {
        str(name)
        for (name,) in _optional(
            database,
            "SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt' AND value = 'true'",
        )
    }
    return [
        VersionRecord(
            model=str(name),
            version=str(version),
            created_ms=int(created or 0),
            run=str(run or ""),
            stage=str(stage or ""),
            described=bool(str(own or "").strip() or str(whole or "").strip()),
            aliases=tuple(aliases.get((str(name), str(version)), ())),
        )
        for name, version, created, run, stage, own, whole in rows[:MOST_VERSIONS]
        if str(name) not in prompts
    ]


def _grouped(
    database: sqlite3.Connection, query: str, column: str, ids: Sequence[str], also: str = "1"
) -> dict[str, dict[str, str]]:
    """Rows of (run, key, value) of these runs as a mapping of mappings."""
    found: dict[str, dict[str, str]] = {}
    for first in range(0, len(ids), 100):
        some = ids[first : first + 100]
        asked = f"{query} WHERE {also} AND {column} IN ({_marks(some)}) ORDER BY 1, 2 LIMIT 200000"
        for run, key, value in _optional(database, asked, some):
            found.setdefault(str(run), {})[str(key)] = str(value or "")
    return found


def _optional(
    database: sqlite3.Connection, query: str, values: Sequence[str] = ()
) -> list[tuple[object, ...]]:
    """The rows, none where an older file has no such table."""
    try:
        return database.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "no such column" in str(error):
            return []
        raise


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
