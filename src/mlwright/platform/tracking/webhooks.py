"""Webhooks: who is told when the registry changes."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection

from mlwright.errors import MlwrightError, Unsupported, UsageError
from mlwright.model.tracking import Page
from mlwright.model.webhooks import Delivery, ReceiverAnswer, Webhook, WebhookStatus
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.secrets import keep_secret, read_secret
from mlwright.platform.tracking.signing import EXAMPLES, body_of, headers_of
from mlwright.ports.webhooks import WebhookSender
from mlwright.stages.registry import outbox
from mlwright.stages.registry import webhooks as store

_PAGE: Final = 100
_PAGE_LIMIT: Final = 1000


class WebhookJourney:
    """Webhooks: who is told when the registry changes."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @property
    def secrets(self) -> Path:
        """The folder of the secrets that clients sent in plain."""
        return self._book.state.resolve() / "secrets"

    def create(
        self,
        name: str,
        url: str,
        events: Sequence[str],
        *,
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus = WebhookStatus.ACTIVE,
    ) -> Webhook:
        """Have a receiver told from now on.

        Args:
            name: for people.
            url: where it listens.
            events: what it asks for, as ``entity.action``.
            description: for people.
            secret: signs each call; it is kept in a file of its own, outside of the database.
            status: a disabled one is not told.

        Raises:
            UsageError: name, URL or events are not allowed.
        """
        store.check_webhook(name, events)
        self._sender().check(url)
        now = self._book.clock.now()
        made = Webhook(
            id=str(uuid4()),
            name=name,
            url=url,
            events=tuple(events),
            status=status,
            created=now,
            updated=now,
            description=description,
            secret=keep_secret(self.secrets, secret) if secret else None,
        )
        with self._book.write() as tx:
            store.add_webhook(tx, made)
            self._audit(tx, "webhook.create", made)
            return store.get_webhook(tx, made.id)

    def look(self, id: str) -> Webhook:
        """One webhook.

        Raises:
            NotFound: there is none of this id.
        """
        with self._book.read() as tx:
            return store.get_webhook(tx, id)

    def list(self, *, limit: int | None = None, token: str | None = None) -> Page[Webhook]:
        """Webhooks, the newest first, a page at a time.

        Raises:
            UsageError: the limit is not between 1 and 1000, or the token is none of ours.
        """
        limit = limit or _PAGE
        if not 1 <= limit <= _PAGE_LIMIT:
            raise UsageError("max_results must be between 1 and 1000.")
        offset = _offset(token)
        with self._book.read() as tx:
            found = store.list_webhooks(tx, offset=offset, limit=limit + 1)
        more = len(found) > limit
        return Page(items=tuple(found[:limit]), token=_token(offset + limit) if more else None)

    def change(
        self,
        id: str,
        *,
        name: str | None = None,
        url: str | None = None,
        events: Sequence[str] = (),
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Change what is given; an empty secret ends the signing.

        Raises:
            NotFound: there is none of this id.
            UsageError: name, URL or events are not allowed.
        """
        if url is not None:
            self._sender().check(url)
        before = self.look(id)
        store.check_webhook(name or before.name, events or before.events)
        reference = before.secret if secret is None else None
        if secret:
            reference = keep_secret(self.secrets, secret)
        with self._book.write() as tx:
            before = store.get_webhook(tx, id)
            after = replace(
                before,
                name=name or before.name,
                url=url or before.url,
                events=tuple(events) or before.events,
                description=before.description if description is None else description,
                secret=before.secret if secret is None else reference,
                status=status or before.status,
            )
            changed = store.change_webhook(tx, after, self._book.clock.now())
            self._audit(tx, "webhook.change", changed)
            return store.get_webhook(tx, id)

    def delete(self, id: str) -> None:
        """Tell a receiver nothing more, not even what waits for it.

        Raises:
            NotFound: there is none of this id.
        """
        with self._book.write() as tx:
            gone = store.get_webhook(tx, id)
            store.delete_webhook(tx, id)
            self._audit(tx, "webhook.delete", gone)

    def deliveries(self, id: str) -> tuple[Delivery, ...]:
        """What was sent to a webhook or waits for it, the newest first.

        Raises:
            NotFound: there is none of this id.
        """
        with self._book.read() as tx:
            store.get_webhook(tx, id)
            return tuple(outbox.list_deliveries(tx, id))

    def test(self, id: str, event: str | None = None) -> ReceiverAnswer | str:
        """Send one example at once, and return the answer, or in words why there is none.

        Args:
            id: the webhook.
            event: of what the example is; the first that the webhook asks for without it.

        Raises:
            NotFound: there is none of this id.
            UsageError: there is no such event.
        """
        webhook = self.look(id)
        event = event or webhook.events[0]
        store.check_webhook(webhook.name, [event])
        now = self._book.clock.now()
        body = body_of(event, json.dumps(EXAMPLES[event]), now)
        try:
            secret = read_secret(webhook.secret) if webhook.secret else None
            headers = headers_of(str(uuid4()), body, secret, now)
            return self._sender().send(webhook.url, headers, body)
        except (OSError, MlwrightError) as fault:
            what = fault.what if isinstance(fault, MlwrightError) else str(fault)
            return f"Failed to test webhook: {what}"

    def _sender(self) -> WebhookSender:
        if self._book.sender is None:
            raise Unsupported(
                "webhooks are told by the tracking server, and this is none",
                next_command="mlwright tracking",
            )
        return self._book.sender

    def _audit(self, tx: Connection, action: str, webhook: Webhook) -> None:
        # An address may hold a token in its path: the host says enough here.
        self._book.audit(
            tx,
            action,
            f"webhook:{webhook.id}",
            name=webhook.name,
            host=urlsplit(webhook.url).hostname,
            events=webhook.events,
            status=webhook.status,
            signed=webhook.secret is not None,
        )


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        offset = json.loads(base64.b64decode(token, validate=True))["offset"]
        if isinstance(offset, int) and 0 <= offset < 2**31:
            return offset
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError("Invalid page token")


def _token(offset: int) -> str:
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()
