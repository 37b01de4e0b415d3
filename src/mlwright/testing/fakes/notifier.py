"""A channel that remembers."""

from datetime import timedelta

from mlwright.model.alerting import ChannelTrouble, Notice
from mlwright.model.monitoring import Alert


class RecordingNotifier:
    """Keeps what was sent in ``notices``; refuses everything while ``broken`` is set.

    Args:
        broken: whether it cannot be reached.
        name: the channel's name.
        refused: whether it says no instead of being out of reach, while ``broken``.
        resend: see ``Notifier.resend``.
    """

    keeps = False

    def __init__(
        self,
        *,
        broken: bool = False,
        name: str = "recording",
        refused: bool = False,
        resend: timedelta | None = None,
    ) -> None:
        self.name = name
        self.resend = resend
        self.broken = broken
        self.refused = refused
        self.notices: list[Notice] = []

    @property
    def sent(self) -> list[Alert]:
        """The alerts that were news, in the order of the messages."""
        return [alert for notice in self.notices for alert in notice.alerts if alert.id in notice.news]

    def send(self, notice: Notice) -> str:
        """Keep the message; see ``Notifier.send``."""
        if self.broken:
            raise ChannelTrouble("the channel is broken", refused=self.refused)
        self.notices.append(notice)
        return "kept"
