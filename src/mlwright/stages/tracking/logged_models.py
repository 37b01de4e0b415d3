"""Logged models in the database: what a run logs before anybody registers it. The caller owns every transaction."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Table, and_, delete, or_, select, update

from mlwright.errors import Fault, NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import LoggedModel, LoggedModelStatus, Metric
from mlwright.stages.tracking.experiments import insert
from mlwright.stages.tracking.history import rank
from mlwright.stages.tracking.model_tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
from mlwright.stages.tracking.names import NAME_LIMIT, below, check_length, check_pairs, random_name
from mlwright.stages.tracking.runs import new_protocol_id
from mlwright.stages.tracking.tables import experiments

VERSIONS: Final = "mlflow.modelVersions"
"""The tag in which clients list the model versions that were registered from a logged model."""

_BAD: Final = ("/", ":", ".", "%", '"', "'")
# SQLite takes 32,766 variables in a statement.
_AT_ONCE: Final = 5000


def add_logged_model(
    tx: Connection,
    *,
    experiment: int,
    name: str | None,
    at_ms: int,
    source_run: RunId | None = None,
    model_type: str | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Begin a logged model, and return its id: ``m-`` and 32 hexadecimal digits that sort by time.

    Args:
        tx: a writing transaction.
        experiment: the number of its experiment, which is not deleted.
        name: its name; one made up unless given.
        at_ms: now.
        source_run: the run that logs it; not looked for, as it may lie on another server.
        model_type: what the client calls its kind.
        params: its first params.
        tags: its first tags.

    Raises:
        UsageError: the name cannot be one, nor can a param or tag.
    """
    if name is not None and (not name or any(each in name for each in _BAD)):
        raise UsageError(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {_BAD}"
        )
    id = f"m-{new_protocol_id(at_ms)}"
    root = tx.execute(select(experiments.c.artifact_root).where(experiments.c.id == experiment)).scalar_one()
    tx.execute(
        insert(tx, logged_models).values(
            id=id,
            experiment=experiment,
            name=check_length("name", name or random_name(), NAME_LIMIT),
            artifact_root=below(root, "models", id, "artifacts"),
            source_run=source_run,
            status=LoggedModelStatus.PENDING.value,
            model_type=model_type,
            created_ms=at_ms,
            updated_ms=at_ms,
        )
    )
    write_logged_model_params(tx, id, params or {})
    write_logged_model_tags(tx, id, tags or {})
    return id


def find_logged_model(tx: Connection, id: str, *, deleted: bool = True) -> None:
    """Make sure that there is a logged model.

    Args:
        tx: a transaction.
        id: its id.
        deleted: whether it may be a deleted one.

    Raises:
        NotFound: there is none, or it is deleted and must not be.
    """
    row = tx.execute(select(logged_models.c.deleted_at).where(logged_models.c.id == id)).one_or_none()
    if row is None or (row.deleted_at is not None and not deleted):
        raise NotFound(f"Logged model with ID '{id}' not found.", next_command="mlwright runs")


def change_status(
    tx: Connection, id: str, status: LoggedModelStatus, at_ms: int, message: str | None = None
) -> None:
    """Say how far a logged model is, and why where it failed."""
    values: dict[str, object] = {"status": status.value, "updated_ms": at_ms}
    if message is not None:
        values["status_message"] = message
    tx.execute(update(logged_models).where(logged_models.c.id == id).values(values))


def mark_logged_model(tx: Connection, id: str, *, deleted_at: int) -> None:
    """Mark a logged model as deleted at an instant (microseconds)."""
    tx.execute(
        update(logged_models)
        .where(logged_models.c.id == id)
        .values(deleted_at=deleted_at, updated_ms=deleted_at // 1000)
    )


def write_logged_model_params(tx: Connection, id: str, values: Mapping[str, str]) -> None:
    """Record params. A param never changes: the same value again is accepted, another value is not.

    Raises:
        UsageError: a key cannot be one, a value is too long, or a param has another value already.
    """
    check_pairs("param", values.items())
    if not values:
        return
    table = logged_model_params
    rows = [{"model": id, "key": key, "value": values[key]} for key in sorted(values)]
    tx.execute(insert(tx, table).on_conflict_do_nothing(), rows)
    known = select(table.c.key, table.c.value).where(table.c.model == id)
    faults = [
        Fault(where=key, what=f"is {before!r} already and cannot become {values[key]!r}")
        for key, before in tx.execute(known)
        if values.get(key, before) != before
    ]
    if faults:
        raise UsageError(f"Params of logged model '{id}' cannot change", faults=faults)


def write_logged_model_tags(tx: Connection, id: str, values: Mapping[str, str]) -> None:
    """Set tags; a tag that is there gets the new value.

    Raises:
        UsageError: a key cannot be one, or a value is too long.
    """
    check_pairs("tag", values.items())
    if values:
        upsert = insert(tx, logged_model_tags)
        tx.execute(
            upsert.on_conflict_do_update(
                index_elements=["model", "key"], set_={"value": upsert.excluded.value}
            ),
            [{"model": id, "key": key, "value": values[key]} for key in sorted(values)],
        )


def remove_logged_model_tag(tx: Connection, id: str, key: str) -> None:
    """Remove a tag.

    Raises:
        NotFound: the model has no such tag.
    """
    table = logged_model_tags
    if tx.execute(delete(table).where(table.c.model == id, table.c.key == key)).rowcount == 0:
        raise NotFound(f"No tag with key {key!r} found for model with ID {id!r}.")


def write_model_metrics(tx: Connection, run: RunId, metrics: Sequence[Metric]) -> None:
    """Keep the latest of each metric that a run measured of a logged model; those of no model are passed over.

    The latest is decided as in :func:`mlwright.stages.tracking.history.append_metrics`.

    Raises:
        NotFound: there is no such logged model.
    """
    latest: dict[tuple[str, str, str, str], Metric] = {}
    for each in metrics:
        if each.model is not None:
            place = (each.model, each.key, each.dataset or "", each.dataset_digest or "")
            if place not in latest or _point_rank(each) > _point_rank(latest[place]):
                latest[place] = each
    if not latest:
        return
    for model in sorted({place[0] for place in latest}):
        find_logged_model(tx, model)
    upsert = insert(tx, logged_model_metrics)
    new, old = upsert.excluded, logged_model_metrics.c
    tx.execute(
        upsert.on_conflict_do_update(
            index_elements=["model", "run", "key", "dataset", "dataset_digest"],
            set_={"step": new.step, "at_ms": new.at_ms, "value": new.value},
            where=or_(
                new.step > old.step,
                and_(new.step == old.step, new.at_ms > old.at_ms),
                and_(
                    new.step == old.step,
                    new.at_ms == old.at_ms,
                    or_(old.value.is_(None), new.value > old.value),
                ),
            ),
        ),
        # In one order always, so that two writers cannot wait for each other in a ring.
        [
            {
                "model": model,
                "run": run,
                "key": key,
                "dataset": dataset,
                "dataset_digest": digest,
                "step": each.step,
                "at_ms": each.at_ms,
                "value": each.value,
            }
            for (model, key, dataset, digest), each in sorted(latest.items(), key=lambda item: item[0])
        ],
    )


def read_logged_models(tx: Connection, ids: Sequence[str]) -> list[LoggedModel]:
    """Logged models with everything recorded about them, deleted ones too, in the order of the ids.

    An id that nothing has is left out.
    """
    found = {
        model.id: model
        for start in range(0, len(ids), _AT_ONCE)
        for model in _read(tx, ids[start : start + _AT_ONCE])
    }
    return [found[id] for id in ids if id in found]


def _read(tx: Connection, ids: Sequence[str]) -> list[LoggedModel]:
    def texts(table: Table) -> dict[str, dict[str, str]]:
        columns = select(table.c.model, table.c.key, table.c.value)
        result: dict[str, dict[str, str]] = defaultdict(dict)
        for model, key, value in tx.execute(columns.where(table.c.model.in_(ids)).order_by(table.c.key)):
            result[model][key] = value
        return result

    param_of, tag_of = texts(logged_model_params), texts(logged_model_tags)
    table = logged_model_metrics
    metrics_of: dict[str, list[tuple[RunId, Metric]]] = defaultdict(list)
    order = (table.c.key, table.c.dataset, table.c.dataset_digest, table.c.run)
    for row in tx.execute(select(table).where(table.c.model.in_(ids)).order_by(*order)):
        metric = Metric(
            key=row.key,
            value=row.value,
            step=row.step,
            at_ms=row.at_ms,
            model=row.model,
            dataset=row.dataset or None,
            dataset_digest=row.dataset_digest or None,
        )
        metrics_of[row.model].append((RunId(row.run), metric))
    return [
        LoggedModel(
            id=row.id,
            experiment_id=str(row.experiment),
            name=row.name,
            artifact_root=row.artifact_root,
            source_run=None if row.source_run is None else RunId(row.source_run),
            status=LoggedModelStatus(row.status),
            status_message=row.status_message,
            model_type=row.model_type,
            created_ms=row.created_ms,
            updated_ms=row.updated_ms,
            params=param_of[row.id],
            tags=tag_of[row.id],
            metrics=tuple(metrics_of[row.id]),
            versions=_versions(tag_of[row.id].get(VERSIONS)),
        )
        for row in tx.execute(select(logged_models).where(logged_models.c.id.in_(ids)))
    ]


def _versions(listed: str | None) -> tuple[tuple[str, int], ...]:
    """The versions that the client lists in its tag; none where somebody wrote something else into it."""
    try:
        # Clients add a version again each time that they look at it.
        found = ((str(each["name"]), int(each["version"])) for each in json.loads(listed or "[]"))
        return tuple(dict.fromkeys(found))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _point_rank(metric: Metric) -> tuple[int, int, bool, float]:
    return rank((metric.step, metric.at_ms, metric.value))
