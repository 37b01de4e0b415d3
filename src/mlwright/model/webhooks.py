"""Webhooks: who is told when the registry changes, and what they are told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

EVENTS: Final = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
    "budget_policy.exceeded",
)
"""What a webhook can ask for, as ``entity.action``; the words are those of MLflow. No budget is kept here."""


class WebhookStatus(StrEnum):
    """Whether a webhook is told; the words are those of the MLflow protocol."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver and the events it asked for. ``secret`` is a reference: ``env:NAME`` or ``file:PATH``."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    status: WebhookStatus
    created: datetime
    updated: datetime
    description: str | None = None
    secret: str | None = None


class DeliveryState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: refused for good, or tried often enough; the error says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one webhook. ``payload`` is the JSON text of what happened; the id stays through all attempts."""

    id: str
    webhook: str
    event: str
    payload: str
    state: DeliveryState
    attempts: int
    created: datetime
    due: datetime
    ended: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverAnswer:
    """What a receiver answered; ``retry_after`` in seconds where it asked for time."""

    status: int
    body: str
    retry_after: float | None = None
