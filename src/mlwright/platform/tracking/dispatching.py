"""Works off the outbox of webhooks: each delivery at least once, with growing pauses, till it is taken or given up."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Thread
from typing import Final

from mlwright.errors import MlwrightError
from mlwright.model.webhooks import Delivery, DeliveryState, Webhook, WebhookStatus
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.secrets import forget_secrets, read_secret
from mlwright.platform.tracking.signing import body_of, headers_of
from mlwright.ports.webhooks import WebhookSender
from mlwright.stages.registry import outbox
from mlwright.stages.registry import webhooks as store

_LOG = logging.getLogger(__name__)

_AT_ONCE: Final = 200
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that another attempt may change; any other that is not 2xx is a refusal."""
_LONGEST: Final = timedelta(minutes=10)
_TOO_OLD: Final = timedelta(days=1)
"""A receiver that was away for longer is told of what happens from then on."""
_REMEMBERED: Final = timedelta(days=30)
_SECRET_GRACE: Final = timedelta(hours=1)


class Dispatcher:
    """Delivers what waits in the outbox, one receiver's deliveries in order, several receivers at once.

    Args:
        book: the store.
        sender: how receivers are called.
        attempts: after as many a delivery is given up.
        first_pause: before the second attempt; each pause is twice the one before, at most ten minutes.
        poll_s: how long the outbox is left alone when nothing waits, in seconds.
    """

    def __init__(
        self,
        book: Book,
        sender: WebhookSender,
        *,
        attempts: int = 10,
        first_pause: timedelta = timedelta(seconds=1),
        poll_s: float = 1.0,
    ) -> None:
        self._book = book
        self._sender = sender
        self._attempts = attempts
        self._first_pause = first_pause
        self._poll_s = poll_s
        self._ending = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Work on a thread of its own until :meth:`stop`."""
        self._thread = Thread(target=self._work, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the calls that are under way; what waits is kept for the next start."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def deliver_due(self) -> int:
        """Make one attempt for each delivery that is due, and return how many were made.

        After one that a receiver did not take, what else waits for that receiver waits as long.
        """
        now = self._book.clock.now()
        with self._book.read() as tx:
            due = outbox.due_deliveries(tx, now, _AT_ONCE)
            hooks = {each: store.get_webhook(tx, each) for each in {one.webhook for one in due}}
        if not due:
            return 0
        by_hook = [[one for one in due if one.webhook == id] for id in hooks]
        work = [self._told(hooks[mine[0].webhook], mine) for mine in by_hook]
        if len(work) == 1:
            return work[0]()
        with ThreadPoolExecutor(min(8, len(work)), thread_name_prefix="webhooks") as pool:
            return sum(pool.map(lambda each: each(), work))

    def tidy(self) -> None:
        """Forget old deliveries, and secrets that nothing refers to."""
        now = self._book.clock.now()

        def forget() -> list[Webhook]:
            with self._book.write() as tx:
                outbox.forget_deliveries(tx, now - _REMEMBERED)
                return store.list_webhooks(tx, limit=1_000_000)

        kept = {each.secret for each in self._book.commit(forget) if each.secret}
        older = (now - _SECRET_GRACE).timestamp()
        forget_secrets(self._book.state.resolve() / "secrets", kept, older_than=older)

    def _work(self) -> None:
        try:
            self.tidy()
        except Exception:  # noqa: BLE001 - the thread goes on
            _LOG.exception("old deliveries of webhooks were not removed")
        wait = self._poll_s
        while not self._ending.is_set():
            try:
                made = self.deliver_due()
                wait = self._poll_s
            except Exception:  # noqa: BLE001 - the thread goes on
                # The database may be away or full for a while. What waits is still there afterwards, and so is what was
                # sent and could not be written down: it is sent again, but not each second.
                _LOG.exception("deliveries of webhooks are delayed")
                made, wait = 0, min(wait * 2, _LONGEST.total_seconds())
            if not made:
                self._ending.wait(wait)

    def _told(self, webhook: Webhook, deliveries: Sequence[Delivery]) -> Callable[[], int]:
        def tell() -> int:
            for number, each in enumerate(deliveries, start=1):
                if self._ending.is_set() or not self._attempt(webhook, each):
                    return number
            return len(deliveries)

        return tell

    def _attempt(self, webhook: Webhook, delivery: Delivery) -> bool:
        """Try once and write down how it went; False when the receiver should be left alone for a while."""
        now = self._book.clock.now()
        fault, again, wait = self._call(webhook, delivery)
        if fault is None:
            self._record(delivery, DeliveryState.DELIVERED)
            return True
        made = delivery.attempts + 1
        if not again or made >= self._attempts or now - delivery.created > _TOO_OLD:
            _LOG.warning("webhook %s: %s was given up: %s", webhook.name, delivery.event, fault)
            self._record(delivery, DeliveryState.FAILED, error=fault)
            return True
        pause = max(self._first_pause * 2 ** min(made - 1, 30), wait or timedelta())
        self._record(delivery, DeliveryState.WAITING, error=fault, pause=min(pause, _LONGEST))
        return False

    def _call(self, webhook: Webhook, delivery: Delivery) -> tuple[str | None, bool, timedelta | None]:
        """What went wrong (None: nothing), whether another attempt may help, and for how long the receiver asks."""
        if webhook.status is not WebhookStatus.ACTIVE:
            return "the webhook was disabled", False, None
        body = body_of(delivery.event, delivery.payload, delivery.created)
        try:
            secret = read_secret(webhook.secret) if webhook.secret else None
        except MlwrightError as error:
            # Never unsigned instead: the receiver could not tell it from a forged one.
            return error.what, True, None
        try:
            headers = headers_of(delivery.id, body, secret, self._book.clock.now())
            answer = self._sender.send(webhook.url, headers, body)
        except MlwrightError as error:
            return error.what, False, None
        except OSError as error:
            return str(error), True, None
        if 200 <= answer.status < 300:
            return None, False, None
        wait = None if answer.retry_after is None else timedelta(seconds=min(answer.retry_after, 86_400))
        return f"the receiver answered {answer.status}", answer.status in _AGAIN, wait

    def _record(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        error: str | None = None,
        pause: timedelta | None = None,
    ) -> None:
        now = self._book.clock.now()

        def record() -> None:
            with self._book.write() as tx:
                due = None if pause is None else now + pause
                outbox.record_attempt(tx, delivery.id, state, at=now, due=due, error=error)
                if due is not None:
                    outbox.postpone(tx, delivery.webhook, due)

        self._book.commit(record)
