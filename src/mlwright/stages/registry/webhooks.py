"""Webhooks in the database: who asked for which events. The caller owns every transaction."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select, update

from mlwright.errors import NotFound, UsageError, near_match
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.webhooks import EVENTS, Webhook, WebhookStatus
from mlwright.stages.registry.rows import Found
from mlwright.stages.registry.tables import deliveries, webhooks

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)


def check_webhook(name: str, events: Sequence[str]) -> None:
    """Refuse a name that MLflow refuses, and events that nobody knows.

    Raises:
        UsageError: it is one.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be less than 63 "
            "characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )
    if not events:
        raise UsageError("Webhook events must be a non-empty list")
    for event in events:
        if event not in EVENTS:
            near = near_match(event, EVENTS)
            entity, _, action = event.partition(".")
            actions = sorted(each.partition(".")[2] for each in EVENTS if each.startswith(f"{entity}."))
            raise UsageError(
                f"Invalid action '{action}' for entity '{entity}'. Valid actions are: {actions}",
                why=f"did you mean {near!r}?" if near else None,
            )


def add_webhook(tx: Connection, webhook: Webhook) -> None:
    """Keep a new webhook.

    Raises:
        UsageError: its name or its events are not allowed.
    """
    check_webhook(webhook.name, webhook.events)
    tx.execute(
        webhooks.insert().values(id=webhook.id, created_at=to_micros(webhook.created), **_row(webhook))
    )


def get_webhook(tx: Connection, id: str) -> Webhook:
    """One webhook.

    Raises:
        NotFound: there is none of this id.
    """
    found = tx.execute(select(webhooks).where(webhooks.c.id == id)).one_or_none()
    if found is None:
        raise NotFound(f"Webhook with ID {id} not found.")
    return _webhook(found)


def list_webhooks(tx: Connection, *, offset: int = 0, limit: int = 1000) -> list[Webhook]:
    """Webhooks, the newest first."""
    query = select(webhooks).order_by(webhooks.c.created_at.desc(), webhooks.c.id)
    return [_webhook(row) for row in tx.execute(query.offset(offset).limit(limit))]


def change_webhook(tx: Connection, webhook: Webhook, at: datetime) -> Webhook:
    """Keep a webhook as it is now, and return it with the instant of the change.

    Raises:
        UsageError: its name or its events are not allowed.
    """
    check_webhook(webhook.name, webhook.events)
    changed = replace(webhook, updated=at)
    tx.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(_row(changed)))
    return changed


def delete_webhook(tx: Connection, id: str) -> None:
    """Remove a webhook with what waits for it.

    Raises:
        NotFound: there is none of this id.
    """
    get_webhook(tx, id)
    tx.execute(delete(deliveries).where(deliveries.c.webhook == id))
    tx.execute(delete(webhooks).where(webhooks.c.id == id))


def _row(webhook: Webhook) -> dict[str, object]:
    return {
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": list(dict.fromkeys(webhook.events)),
        "status": webhook.status,
        "secret": webhook.secret,
        "updated_at": to_micros(webhook.updated),
    }


def _webhook(row: Found) -> Webhook:
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        events=tuple(row.events),
        status=WebhookStatus(row.status),
        created=from_micros(row.created_at),
        updated=from_micros(row.updated_at),
        description=row.description,
        secret=row.secret,
    )
