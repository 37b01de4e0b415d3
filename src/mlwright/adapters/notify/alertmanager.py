"""Alerts as Prometheus sends them: the API of Alertmanager, version 2.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (``postableAlerts``). To Alertmanager
an alert is over when its ``endsAt`` has passed, so what is open is sent again and again, each time with a later one.
"""

from datetime import timedelta
from typing import Final

from mlwright.adapters.notify.payload import alert_annotations, alert_labels, iso, to_json
from mlwright.adapters.notify.posting import Receiver
from mlwright.model.alerting import Notice
from mlwright.model.monitoring import AlertState

RESEND: Final = timedelta(minutes=2)
HOLD: Final = timedelta(hours=2)
"""How far ``endsAt`` lies ahead. Prometheus takes four times its interval; the loop here may be a cron job that turns
once an hour, and an alert that falsely resolves because its sender slept is worse than one that stays too long."""


class AlertmanagerNotifier:
    """Posts to ``URL/api/v2/alerts``; grouping, silences and routes of the Alertmanager apply as to any other alert.

    Args:
        url: of the Alertmanager, with its prefix if it has one.
        name: the channel's name.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    resend: timedelta | None = RESEND
    keeps = True

    def __init__(self, url: str, *, name: str = "alertmanager", timeout_s: float = 5.0) -> None:
        self._receiver = Receiver(url, what="alertmanager", timeout_s=timeout_s)
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Post all members; see ``Notifier.send``."""
        alerts = []
        for alert in notice.alerts:
            over = alert.state is AlertState.RESOLVED
            alerts.append(
                {
                    "labels": alert_labels(alert),
                    "annotations": alert_annotations(alert),
                    "startsAt": iso(alert.fired),
                    "endsAt": iso((alert.resolved or notice.at) if over else notice.at + HOLD),
                }
            )
        posted = self._receiver.post(to_json(alerts), path="/api/v2/alerts")
        return f"answered {posted.status}, {len(alerts)} alerts"
