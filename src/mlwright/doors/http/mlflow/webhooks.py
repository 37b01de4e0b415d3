"""Calls of the MLflow protocol about webhooks. Answers never hold a secret."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.versions import named
from mlwright.model.instants import to_micros
from mlwright.model.webhooks import Webhook, WebhookStatus
from mlwright.platform.tracking.dispatching import Dispatcher
from mlwright.platform.tracking.facade import TrackingPlatform


class _Event(msgspec.Struct):
    entity: str = ""
    action: str = ""


class _Create(msgspec.Struct):
    name: str = ""
    url: str = ""
    events: list[_Event] = []
    description: str | None = None
    secret: str | None = None
    status: WebhookStatus | None = None


class _Page(msgspec.Struct):
    max_results: int | None = None
    page_token: str | None = None


class _Test(msgspec.Struct):
    event: _Event | None = None


def webhook_to_wire(webhook: Webhook) -> dict[str, object]:
    """A webhook as MLflow's ``Webhook``, which has no secret."""
    events = [each.partition(".") for each in webhook.events]
    wire: dict[str, object] = {
        "webhook_id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": [{"entity": entity.upper(), "action": action.upper()} for entity, _, action in events],
        "status": webhook.status,
        "creation_timestamp": to_micros(webhook.created) // 1000,
        "last_updated_timestamp": to_micros(webhook.updated) // 1000,
    }
    if webhook.description:
        wire["description"] = webhook.description
    return wire


def _events(said: Sequence[_Event]) -> list[str]:
    return [f"{each.entity.lower()}.{each.action.lower()}" for each in said]


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Create)
    named(name=said.name, url=said.url, events=str(said.events or ""))
    made = tracking.webhooks.create(
        said.name,
        said.url,
        _events(said.events),
        description=said.description or None,
        secret=said.secret or None,
        status=said.status or WebhookStatus.ACTIVE,
    )
    return {"webhook": webhook_to_wire(made)}


def _list(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Page)
    page = tracking.webhooks.list(limit=said.max_results, token=said.page_token)
    wire: dict[str, object] = {}
    if page.items:
        wire["webhooks"] = [webhook_to_wire(each) for each in page.items]
    if page.token:
        wire["next_page_token"] = page.token
    return wire


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    return {"webhook": webhook_to_wire(tracking.webhooks.look(asked.path["webhook_id"]))}


def _change(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Create)
    changed = tracking.webhooks.change(
        asked.path["webhook_id"],
        name=said.name or None,
        url=said.url or None,
        events=_events(said.events),
        description=said.description,
        secret=said.secret,
        status=said.status,
    )
    return {"webhook": webhook_to_wire(changed)}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.webhooks.delete(asked.path["webhook_id"])
    return {}


def _test(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Test)
    event = _events([said.event])[0] if said.event else None
    answer = tracking.webhooks.test(asked.path["webhook_id"], event)
    if isinstance(answer, str):
        return {"result": {"success": False, "error_message": answer}}
    done = {
        "success": answer.status < 400,
        "response_status": answer.status,
        "response_body": answer.body,
    }
    return {"result": done}


def start_deliveries(tracking: TrackingPlatform) -> Callable[[], None]:
    """Begin to work off the outbox; returns what ends it."""
    if tracking.book.sender is None:
        return lambda: None
    dispatcher = Dispatcher(tracking.book, tracking.book.sender)
    dispatcher.start()
    return dispatcher.stop


_AT: Final = "2.0/mlflow/webhooks"

# None of these runs on the writing thread: an address is looked up by its name first, and that may take its time.
CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=_AT, handler=_create),
    Call(method="GET", path=_AT, handler=_list),
    Call(method="GET", path=f"{_AT}/{{webhook_id}}", handler=_get),
    Call(method="PATCH", path=f"{_AT}/{{webhook_id}}", handler=_change),
    Call(method="DELETE", path=f"{_AT}/{{webhook_id}}", handler=_delete),
    Call(method="POST", path=f"{_AT}/{{webhook_id}}/test", handler=_test),
)
