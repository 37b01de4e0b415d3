"""Calling receivers of webhooks. Open wire: MLflow's webhooks, after the conventions of Standard Webhooks."""

from collections.abc import Mapping
from typing import Protocol

from mlwright.model.webhooks import ReceiverAnswer


class WebhookSender(Protocol):
    """Posts to addresses that clients named, and to no address that they must not reach through us."""

    def check(self, url: str) -> None:
        """See whether an address may be called at all, before it is kept.

        Raises:
            UsageError: it is no address of a receiver, or leads to a machine that must not be called.
        """
        ...

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Post once and return the answer, whatever its status; redirects are not followed.

        Raises:
            UsageError: the address must not be called; trying again is of no use.
            OSError: nobody took it; trying again may help. The text names the host only.
        """
        ...
