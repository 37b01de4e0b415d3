"""Everything that an MLflow database keeps, in SQLite or PostgreSQL, without a server and without their package."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from mlwright.adapters.mlflow.order import parents_first
from mlwright.adapters.mlflow.places import Places, logged_model_in, path_in_run
from mlwright.adapters.mlflow.store_tables import MlflowTables, open_database
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFacts,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    LeftOut,
)
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    LoggedModelStatus,
    Metric,
    ModelOutput,
    RunStatus,
)

PARENT: Final = "mlflow.parentRunId"
MODEL_STATUS: Final = {
    1: LoggedModelStatus.PENDING,
    2: LoggedModelStatus.READY,
    3: LoggedModelStatus.FAILED,
}
_RUNS_AT_ONCE: Final = 200
_POINTS_AT_ONCE: Final = 100_000
_OTHERS: Final = {
    "trace_info": "traces",
    "assessments": "assessments of traces",
    "evaluation_datasets": "evaluation datasets",
    "scorers": "scorers",
    "webhooks": "webhooks",
    "issues": "issues",
    "users": "users and permissions",
}

Row = Mapping[str, object]


class MlflowDatabaseStore:
    """One database of MLflow.

    Args:
        uri: ``sqlite:///FILE`` or ``postgresql://…``.
        start: the folder that relative paths count from.
        shown: the address without user and password.
        proxied: the folder behind ``mlflow-artifacts:/``, where that is not beside the database.

    Raises:
        ServerUnavailable: it cannot be opened.
    """

    def __init__(self, uri: str, start: Path, shown: str, *, proxied: Path | None = None) -> None:
        self._engine = open_database(uri, start, shown)
        self._tables = MlflowTables(self._engine, shown)
        self._shown = shown
        beside = (start / uri.removeprefix("sqlite:///")).parent if uri.startswith("sqlite:///") else start
        self._places = Places(beside, proxied)
        self._left: dict[LeftOut, None] = {}

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        with self._read() as tx:
            tags = self._tables.texts(tx, "experiment_tags", "experiment_id", self._experiment_ids(tx))
            experiments = tuple(
                ForeignExperiment(
                    name=str(row["name"]),
                    tags=tags.get(row["experiment_id"], {}),
                    deleted=row["lifecycle_stage"] == "deleted",
                )
                for row in self._tables.all(tx, "experiments", "name")
            )
            count = tx.scalar(select(func.count()).select_from(self._tables.table("runs")))
            self._note_others(tx)
        return ForeignFacts(tool="mlflow", source=self._shown, experiments=experiments, runs=count or 0)

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``: by start, then id."""
        with self._read() as tx:
            names = {
                row["experiment_id"]: str(row["name"])
                for row in self._tables.all(tx, "experiments", "experiment_id")
            }
            table = self._tables.table("runs")
            ids = [
                str(id)
                for (id,) in tx.execute(
                    select(table.c.run_uuid).order_by(table.c.start_time, table.c.run_uuid)
                )
            ]
            tags = self._tables.table("tags")
            query = select(tags.c.run_uuid, tags.c.value).where(tags.c.key == PARENT)
            parents = {str(run): str(parent) for run, parent in tx.execute(query)}
        ordered = parents_first(ids, parents)
        for first in range(0, len(ordered), _RUNS_AT_ONCE):
            some = ordered[first : first + _RUNS_AT_ONCE]
            with self._read() as tx:
                found = self._some_runs(tx, some, names)
            yield from (found[id] for id in some if id in found)

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``."""
        with self._read() as tx:
            table = self._tables.table("metrics")
            keys = tx.scalars(select(table.c.key).where(table.c.run_uuid == run).distinct()).all()
            for key in sorted(map(str, keys)):
                columns = select(table.c.step, table.c.timestamp, table.c.value, table.c.is_nan)
                query = columns.where(table.c.run_uuid == run, table.c.key == key)
                ordered = query.order_by(table.c.step, table.c.timestamp)
                steps, stamps = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
                values = [np.empty(0, np.float64)]
                for rows in tx.execution_options(yield_per=_POINTS_AT_ONCE).execute(ordered).partitions():
                    step, stamp, value, nan = zip(*rows, strict=True)
                    steps.append(np.array(step, np.int64))
                    stamps.append(np.array(stamp, np.int64))
                    measured = np.array(value, np.float64)
                    measured[np.array(nan, bool)] = np.nan
                    values.append(measured)
                yield History(
                    key=key,
                    steps=np.concatenate(steps),
                    at_ms=np.concatenate(stamps),
                    values=np.concatenate(values),
                )

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``."""
        root = self._root(run)
        yield from self._places.files(root, run) if root else ()

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``."""
        return self._places.open(self._root(run), path)

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``; prompts are among them."""
        with self._read() as tx:
            rows = list(self._tables.all(tx, "registered_models", "name"))
            names = [row["name"] for row in rows]
            tags = self._tables.texts(tx, "registered_model_tags", "name", names)
            aliases: dict[object, dict[str, int]] = defaultdict(dict)
            for row in self._tables.all(tx, "registered_model_aliases", "name", "alias"):
                aliases[row["name"]][str(row["alias"])] = _whole(row["version"])
        for row in rows:
            with self._read() as tx:
                versions = self._versions(tx, str(row["name"]))
            yield ForeignModel(
                name=str(row["name"]),
                versions=versions,
                description=_text(row.get("description")),
                tags=tags.get(row["name"], {}),
                aliases=aliases.get(row["name"], {}),
            )

    def logged_models(self) -> Iterator[ForeignLoggedModel]:
        """See ``ForeignModelShelf.logged_models``."""
        with self._read() as tx:
            names = {row["experiment_id"]: row["name"] for row in self._tables.all(tx, "experiments", "name")}
            rows = list(self._tables.all(tx, "logged_models", "creation_timestamp_ms", "model_id"))
            ids = [row["model_id"] for row in rows]
            params = self._tables.texts(tx, "logged_model_params", "model_id", ids, "param_key")
            tags = self._tables.texts(tx, "logged_model_tags", "model_id", ids, "tag_key")
            metrics: dict[object, list[tuple[str, Metric]]] = defaultdict(list)
            for row in self._tables.rows(tx, "logged_model_metrics", "model_id", ids):
                metrics[row["model_id"]].append(_model_metric(row))
        for row in rows:
            yield ForeignLoggedModel(
                id=str(row["model_id"]),
                experiment=str(names[row["experiment_id"]]),
                name=str(row["name"]),
                source_run=_text(row["source_run_id"]),
                status=MODEL_STATUS.get(_whole(row["status"]), LoggedModelStatus.PENDING),
                created_ms=_whole(row["creation_timestamp_ms"]),
                updated_ms=_whole(row["last_updated_timestamp_ms"]),
                status_message=_text(row["status_message"]),
                model_type=_text(row["model_type"]),
                params=params.get(row["model_id"], {}),
                tags=tags.get(row["model_id"], {}),
                metrics=tuple(metrics.get(row["model_id"], ())),
                deleted=row["lifecycle_stage"] == "deleted",
            )

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return tuple(dict.fromkeys([*self._left, *self._places.left_out]))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as tx:
                yield tx
        except SQLAlchemyError as error:
            why = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
            raise self._tables.refused(why) from error

    def _experiment_ids(self, tx: Connection) -> list[object]:
        return [row["experiment_id"] for row in self._tables.all(tx, "experiments", "experiment_id")]

    def _root(self, owner: str) -> str:
        name, id, root = ("runs", "run_uuid", "artifact_uri")
        if owner.startswith("m-") and "logged_models" in self._tables.names:
            name, id, root = ("logged_models", "model_id", "artifact_location")
        table = self._tables.table(name)
        with self._read() as tx:
            return str(tx.scalar(select(table.c[root]).where(table.c[id] == owner)) or "")

    def _some_runs(
        self, tx: Connection, ids: Sequence[str], names: Mapping[object, str]
    ) -> dict[str, ForeignRun]:
        tables = self._tables
        params = tables.texts(tx, "params", "run_uuid", ids)
        tags = tables.texts(tx, "tags", "run_uuid", ids)
        inputs = self._inputs(tx, ids)
        used, made = self._links(tx, ids)
        states: dict[object, list[str]] = defaultdict(list)
        table = tables.table("metrics")
        counted = select(table.c.run_uuid, table.c.key, func.count()).where(table.c.run_uuid.in_(ids))
        for run, key, count in tx.execute(counted.group_by(table.c.run_uuid, table.c.key)):
            states[run].append(f"{key}\n{count}")
        return {
            str(row["run_uuid"]): ForeignRun(
                id=str(row["run_uuid"]),
                experiment=names.get(row["experiment_id"], f"experiment {row['experiment_id']}"),
                name=str(row["name"] or tags.get(row["run_uuid"], {}).get("mlflow.runName", "")) or "unnamed",
                status=RunStatus(str(row["status"] or "FINISHED")),
                started_ms=_whole(row["start_time"]),
                ended_ms=None if row["end_time"] is None else _whole(row["end_time"]),
                actor=str(row["user_id"] or ""),
                params=params.get(row["run_uuid"], {}),
                tags=tags.get(row["run_uuid"], {}),
                inputs=tuple(inputs.get(row["run_uuid"], ())),
                outputs=tuple(made.get(row["run_uuid"], ())),
                parent=tags.get(row["run_uuid"], {}).get(PARENT),
                deleted=row["lifecycle_stage"] == "deleted",
                model_inputs=tuple(used.get(row["run_uuid"], ())),
                state=sha256("\n".join(sorted(states[row["run_uuid"]])).encode()).hexdigest(),
            )
            for row in tables.rows(tx, "runs", "run_uuid", ids)
        }

    def _inputs(self, tx: Connection, ids: Sequence[str]) -> dict[object, list[DatasetInput]]:
        tables = self._tables
        links = list(tables.rows(tx, "inputs", "destination_id", ids, source_type="DATASET"))
        links.sort(key=lambda row: str(row["input_uuid"]))
        tags = tables.texts(tx, "input_tags", "input_uuid", [row["input_uuid"] for row in links], "name")
        known = {
            row["dataset_uuid"]: row
            for row in tables.rows(tx, "datasets", "dataset_uuid", [row["source_id"] for row in links])
        }
        found: dict[object, list[DatasetInput]] = defaultdict(list)
        for link in links:
            if (row := known.get(link["source_id"])) is not None:
                dataset = Dataset(
                    name=str(row["name"]),
                    digest=str(row["digest"]),
                    source_type=str(row["dataset_source_type"]),
                    source=str(row["dataset_source"]),
                    schema=_text(row["dataset_schema"]),
                    profile=_text(row["dataset_profile"]),
                )
                of = DatasetInput(dataset=dataset, tags=tags.get(link["input_uuid"], {}))
                found[link["destination_id"]].append(of)
        return found

    def _links(
        self, tx: Connection, ids: Sequence[str]
    ) -> tuple[dict[object, list[str]], dict[object, list[ModelOutput]]]:
        used: dict[object, list[str]] = defaultdict(list)
        made: dict[object, list[ModelOutput]] = defaultdict(list)
        for row in self._tables.rows(tx, "inputs", "source_id", ids, source_type="RUN_INPUT"):
            used[row["source_id"]].append(str(row["destination_id"]))
        for row in self._tables.rows(tx, "inputs", "source_id", ids, source_type="RUN_OUTPUT"):
            output = ModelOutput(model=str(row["destination_id"]), step=_whole(row.get("step")))
            made[row["source_id"]].append(output)
        for models in used.values():
            models.sort()
        for outputs in made.values():
            outputs.sort(key=lambda each: (each.step, each.model))
        return used, made

    def _versions(self, tx: Connection, name: str) -> tuple[ForeignVersion, ...]:
        tags: dict[object, dict[str, str]] = defaultdict(dict)
        for row in self._tables.rows(tx, "model_version_tags", "name", [name]):
            tags[row["version"]][str(row["key"])] = str(row["value"] or "")
        rows = [
            row
            for row in self._tables.rows(tx, "model_versions", "name", [name])
            if row["current_stage"] != "Deleted_Internal"
        ]
        return tuple(
            version_of(row, tags.get(row["version"], {}))
            for row in sorted(rows, key=lambda row: _whole(row["version"]))
        )

    def _note_others(self, tx: Connection) -> None:
        for name, what in _OTHERS.items():
            if name in self._tables.names:
                count = tx.scalar(select(func.count()).select_from(self._tables.table(name)))
                if count:
                    why = "they are not carried over"
                    self._left[LeftOut(what=what, where=f"{count} in {self._shown}", why=why)] = None
        counts = Counter(row["name"] for row in self._tables.all(tx, "experiments", "experiment_id"))
        for each in (name for name, count in counts.items() if count > 1):
            why = "several workspaces have an experiment of this name; their runs are carried into one"
            self._left[LeftOut(what="a workspace", where=str(each), why=why)] = None


def version_of(row: Row, tags: dict[str, str]) -> ForeignVersion:
    """A version from its row, or from a file of the same fields."""
    source, stored = _text(row.get("source")), _text(row.get("storage_location"))
    run = _text(row.get("run_id"))
    model = logged_model_in(source, stored) or _text(row.get("model_id"))
    created = row.get("creation_time") or row.get("creation_timestamp")
    return ForeignVersion(
        version=_whole(row["version"]),
        run=run,
        path=None if model else path_in_run(run, source, stored),
        source=source or "",
        created_ms=_whole(created),
        description=_text(row.get("description")),
        stage=str(row.get("current_stage") or "None"),
        tags=tags,
        logged_model=model,
        actor=_text(row.get("user_id")),
        run_link=_text(row.get("run_link")),
        status=str(row.get("status") or "READY"),
        status_message=_text(row.get("status_message")),
    )


def _model_metric(row: Row) -> tuple[str, Metric]:
    value = row["metric_value"]
    metric = Metric(
        key=str(row["metric_name"]),
        value=float("nan") if value is None else float(str(value)),
        step=_whole(row["metric_step"]),
        at_ms=_whole(row["metric_timestamp_ms"]),
        model=str(row["model_id"]),
        dataset=_text(row["dataset_name"]),
        dataset_digest=_text(row["dataset_digest"]),
    )
    return str(row["run_id"]), metric


def _whole(value: object) -> int:
    return int(str(value)) if value is not None else 0


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
