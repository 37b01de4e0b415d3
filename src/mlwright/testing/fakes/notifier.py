"""A channel that remembers."""

from mlwright.model.monitoring import Alert


class RecordingNotifier:
    """Keeps what was sent in ``sent``; refuses everything while ``broken`` is set."""

    name = "recording"

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.sent: list[Alert] = []

    def send(self, alert: Alert) -> None:
        """Keep the alert; see ``Notifier.send``."""
        if self.broken:
            raise OSError("the channel is broken")
        self.sent.append(alert)
