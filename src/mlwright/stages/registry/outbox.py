"""The outbox of webhooks: what happened is written by the transaction that did it, and worked off later.

Payloads are those of MLflow (``mlflow/webhooks/types.py``); a model that is a prompt has events of its own.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, delete, select, update

from mlwright.model.instants import from_micros, to_micros
from mlwright.model.registry import IS_PROMPT, ModelVersion, RegisteredModel
from mlwright.model.webhooks import Delivery, DeliveryState, WebhookStatus
from mlwright.stages.registry.rows import Found
from mlwright.stages.registry.tables import deliveries, model_tags, webhooks

PROMPT_TEXT: Final = "mlflow.prompt.text"
_PROMPT_TYPE: Final = "_mlflow_prompt_type"


def announce(tx: Connection, event: str, data: Mapping[str, object], at: datetime) -> None:
    """Have every active webhook that asked for the event be told; nothing is written where none did."""
    query = select(webhooks.c.id, webhooks.c.events).where(webhooks.c.status == WebhookStatus.ACTIVE)
    asked = [row.id for row in tx.execute(query) if event in row.events]
    if not asked:
        return
    payload, now = json.dumps(data), to_micros(at)
    tx.execute(
        deliveries.insert(),
        [
            {
                "id": str(uuid4()),
                "webhook": each,
                "event": event,
                "payload": payload,
                "state": DeliveryState.WAITING,
                "attempts": 0,
                "created_at": now,
                "due_at": now,
            }
            for each in asked
        ],
    )


def announce_model(tx: Connection, model: RegisteredModel, at: datetime) -> None:
    """Tell that a model or prompt was made."""
    tags = _own_tags(model.tags) if model.is_prompt else model.tags
    event = "prompt.created" if model.is_prompt else "registered_model.created"
    announce(tx, event, {"name": model.name, "tags": tags, "description": model.description or ""}, at)


def announce_version(tx: Connection, version: ModelVersion, at: datetime) -> None:
    """Tell that a version of a model or prompt was made."""
    about = {"name": version.model, "version": str(version.version)}
    description = version.description or None
    if version.is_prompt:
        tags = _own_tags(version.tags)
        template = tags.pop(PROMPT_TEXT, None)
        announce(
            tx,
            "prompt_version.created",
            {**about, "template": template, "tags": tags, "description": description},
            at,
        )
    else:
        source = {"source": version.source or "", "run_id": version.run or None}
        announce(
            tx,
            "model_version.created",
            {**about, **source, "tags": version.tags, "description": description},
            at,
        )


def announce_model_tag(tx: Connection, model: str, key: str, value: str | None, at: datetime) -> None:
    """Tell that a tag of a prompt was set, or deleted (None); MLflow has no event for those of models."""
    if _is_prompt(tx, model):
        _announce_tag(tx, "prompt_tag", {"name": model, "key": key}, value, at)


def announce_version_tag(
    tx: Connection, model: str, version: int, key: str, value: str | None, at: datetime
) -> None:
    """Tell that a tag of a version was set, or deleted (None)."""
    entity = "prompt_version_tag" if _is_prompt(tx, model) else "model_version_tag"
    _announce_tag(tx, entity, {"name": model, "version": str(version), "key": key}, value, at)


def announce_alias(tx: Connection, model: str, alias: str, version: int | None, at: datetime) -> None:
    """Tell that an alias was set to a version, or deleted (None)."""
    entity = "prompt_alias" if _is_prompt(tx, model) else "model_version_alias"
    about: dict[str, object] = {"name": model, "alias": alias}
    if version is None:
        announce(tx, f"{entity}.deleted", about, at)
    else:
        announce(tx, f"{entity}.created", {**about, "version": str(version)}, at)


def due_deliveries(tx: Connection, at: datetime, limit: int) -> list[Delivery]:
    """Deliveries whose next attempt is due, the longest waiting first."""
    query = (
        select(deliveries)
        .where(deliveries.c.state == DeliveryState.WAITING, deliveries.c.due_at <= to_micros(at))
        .order_by(deliveries.c.due_at, deliveries.c.created_at, deliveries.c.id)
        .limit(limit)
    )
    return [_delivery(row) for row in tx.execute(query)]


def list_deliveries(tx: Connection, webhook: str, limit: int = 100) -> list[Delivery]:
    """The newest deliveries of a webhook first."""
    query = select(deliveries).where(deliveries.c.webhook == webhook)
    ordered = query.order_by(deliveries.c.created_at.desc(), deliveries.c.id).limit(limit)
    return [_delivery(row) for row in tx.execute(ordered)]


def record_attempt(
    tx: Connection,
    delivery: str,
    state: DeliveryState,
    *,
    at: datetime,
    due: datetime | None = None,
    error: str | None = None,
) -> None:
    """Write down how one attempt went; ``due`` is when the next one is, while it still waits."""
    values: dict[str, object] = {"state": state, "attempts": deliveries.c.attempts + 1, "error": error}
    if state is DeliveryState.WAITING:
        values["due_at"] = to_micros(due or at)
    else:
        values["ended_at"] = to_micros(at)
    tx.execute(update(deliveries).where(deliveries.c.id == delivery).values(values))


def postpone(tx: Connection, webhook: str, due: datetime) -> None:
    """Have everything that waits for a webhook wait until an instant at least: its receiver does not answer."""
    waits = deliveries.c.webhook == webhook, deliveries.c.state == DeliveryState.WAITING
    earlier = deliveries.c.due_at < to_micros(due)
    tx.execute(update(deliveries).where(*waits, earlier).values(due_at=to_micros(due)))


def forget_deliveries(tx: Connection, before: datetime) -> int:
    """Remove deliveries that ended before an instant, and return how many."""
    ended = deliveries.c.state != DeliveryState.WAITING, deliveries.c.ended_at < to_micros(before)
    return int(tx.execute(delete(deliveries).where(*ended)).rowcount)


def _announce_tag(
    tx: Connection, entity: str, about: Mapping[str, object], value: str | None, at: datetime
) -> None:
    if value is None:
        announce(tx, f"{entity}.deleted", about, at)
    else:
        announce(tx, f"{entity}.set", {**about, "value": value}, at)


def _own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in {IS_PROMPT, _PROMPT_TYPE}}


def _is_prompt(tx: Connection, model: str) -> bool:
    query = select(model_tags.c.value).where(model_tags.c.model == model, model_tags.c.key == IS_PROMPT)
    found: Sequence[str] = tx.execute(query).scalars().all()
    return bool(found) and found[0].lower() == "true"


def _delivery(row: Found) -> Delivery:
    return Delivery(
        id=row.id,
        webhook=row.webhook,
        event=row.event,
        payload=row.payload,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created=from_micros(row.created_at),
        due=from_micros(row.due_at),
        ended=None if row.ended_at is None else from_micros(row.ended_at),
        error=row.error,
    )
