"""Settings → the channels that carry alerts."""

from collections.abc import Callable, Mapping
from typing import Final

from mlwright.adapters.notify.alertmanager import AlertmanagerNotifier
from mlwright.adapters.notify.log import LogNotifier
from mlwright.adapters.notify.mail import MailNotifier
from mlwright.adapters.notify.opsgenie import OpsgenieNotifier
from mlwright.adapters.notify.pagerduty import PagerDutyNotifier
from mlwright.adapters.notify.slack import SlackNotifier
from mlwright.adapters.notify.webhook import WebhookNotifier
from mlwright.model.settings import Settings
from mlwright.model.watch_settings import NotifySettings
from mlwright.ports.notifier import Notifier

_KINDS: Final[Mapping[str, Callable[[NotifySettings, str], Notifier]]] = {
    "webhook": lambda said, name: WebhookNotifier(said.url or "", name=name),
    "alertmanager": lambda said, name: AlertmanagerNotifier(said.url or "", name=name),
    "slack": lambda said, name: SlackNotifier(said.url or "", name=name),
    "pagerduty": lambda said, name: PagerDutyNotifier(said.key or "", url=said.url, name=name),
    "opsgenie": lambda said, name: OpsgenieNotifier(said.key or "", url=said.url, name=name),
    "email": lambda said, name: MailNotifier(
        said.url or "", to=said.to, sender=said.sender or "", key=said.key, name=name
    ),
}


def notifiers(settings: Settings) -> tuple[Notifier, ...]:
    """The channels of a project, in the order of its settings.

    Raises:
        UsageError: an address of a channel is none.
    """
    made: list[Notifier] = []
    for each in settings.notify:
        name = each.name or each.kind
        if each.kind == "log":
            made.append(LogNotifier(settings.state / "alerts.log", name=name))
        else:
            made.append(_KINDS[each.kind](each, name))
    return tuple(made)
