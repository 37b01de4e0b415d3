"""Settings → the channels that carry alerts.

The module of a channel is loaded where one is made: a project has one or two, and an HTTP client takes 0.1 s of every
command.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mlwright.model.settings import Settings
from mlwright.model.watch_settings import NotifySettings
from mlwright.ports.notifier import Notifier


def notifiers(settings: Settings) -> tuple[Notifier, ...]:
    """The channels of a project, in the order of its settings.

    Raises:
        UsageError: an address of a channel is none.
    """
    return tuple(_KINDS[each.kind](each, each.name or each.kind, settings) for each in settings.notify)


def _log(_: NotifySettings, name: str, settings: Settings) -> Notifier:
    from mlwright.adapters.notify.log import LogNotifier

    return LogNotifier(settings.state / "alerts.log", name=name)


def _webhook(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.webhook import WebhookNotifier

    return WebhookNotifier(said.url or "", name=name)


def _alertmanager(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.alertmanager import AlertmanagerNotifier

    return AlertmanagerNotifier(said.url or "", name=name)


def _slack(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.slack import SlackNotifier

    return SlackNotifier(said.url or "", name=name)


def _pagerduty(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.pagerduty import PagerDutyNotifier

    return PagerDutyNotifier(said.key or "", url=said.url, name=name)


def _opsgenie(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.opsgenie import OpsgenieNotifier

    return OpsgenieNotifier(said.key or "", url=said.url, name=name)


def _email(said: NotifySettings, name: str, _: Settings) -> Notifier:
    from mlwright.adapters.notify.mail import MailNotifier

    return MailNotifier(said.url or "", to=said.to, sender=said.sender or "", key=said.key, name=name)


_KINDS: Final[Mapping[str, Callable[[NotifySettings, str, Settings], Notifier]]] = {
    "log": _log,
    "webhook": _webhook,
    "alertmanager": _alertmanager,
    "slack": _slack,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "email": _email,
}
