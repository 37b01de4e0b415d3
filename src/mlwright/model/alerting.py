"""Telling people of alerts: what a message holds, what keeps it back, what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert, AlertLevel, AlertState

SEVERITY: dict[AlertLevel, int] = {AlertLevel.INFO: 0, AlertLevel.TICKET: 1, AlertLevel.PAGE: 2}
"""Levels in their order."""


class NoticeKind(StrEnum):
    """Why a message is sent."""

    CHANGE = "change"
    """An alert fired, was taken, or is over."""
    ESCALATION = "escalation"
    """Nobody has taken it yet, and it is the turn of the next."""
    REFRESH = "refresh"
    """Nothing is new: the receiver forgets what it does not hear of again."""
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message about the alerts of one group, as they stand for one channel.

    ``key`` is the same when the same message is sent again (each arrives at least once), ``group`` the same for all
    messages about the group: receivers keep one incident, one thread, one card by it. ``alerts`` are its members that
    are not over, and those whose end is news; ``news`` names what this message is sent for.
    """

    key: str
    group: str
    endpoint: EndpointName
    at: datetime
    alerts: tuple[Alert, ...]
    news: tuple[AlertId, ...]
    kind: NoticeKind = NoticeKind.CHANGE

    @property
    def state(self) -> AlertState:
        """Firing while one of them is, then acknowledged while one is not over, then resolved."""
        states = {each.state for each in self.alerts}
        for state in (AlertState.FIRING, AlertState.ACKNOWLEDGED):
            if state in states:
                return state
        return AlertState.RESOLVED

    @property
    def open(self) -> tuple[Alert, ...]:
        """The members that are not over."""
        return tuple(each for each in self.alerts if each.state is not AlertState.RESOLVED)

    @property
    def level(self) -> AlertLevel:
        """The highest level of what is not over, or of all where everything is."""
        return max((each.level for each in self.open or self.alerts), key=SEVERITY.__getitem__)

    @property
    def fired(self) -> datetime:
        """When the first of them fired."""
        return min(each.fired for each in self.alerts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts of an endpoint that nobody is told of from ``start`` until ``end``.

    ``rule`` may be a pattern with ``*``; None is every rule. ``ended`` is when somebody ended it early.
    """

    id: str
    endpoint: EndpointName
    rule: str | None
    by: str
    why: str
    start: datetime
    end: datetime
    ended: datetime | None = None

    def covers(self, endpoint: str, rule: str) -> bool:
        """Whether it is about the rule's alerts at the endpoint, at whatever time."""
        return self.endpoint == endpoint and (self.rule is None or fnmatchcase(rule, self.rule))

    def active(self, at: datetime) -> bool:
        """Whether it holds at an instant; its end is the first at which it does not."""
        return self.start <= at < (min(self.end, self.ended) if self.ended else self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswer:
    """What came back from a channel that was tried."""

    channel: str
    delivered: bool
    said: str
    took_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """A channel that does not take its messages.

    ``refused``: the receiver says no (a wrong key, a page that is gone), so that only a person can help.
    """

    channel: str
    waiting: int
    since: datetime
    next_try: datetime
    error: str
    refused: bool
    next_command: str


class ChannelTrouble(OSError):
    """A channel did not take a message.

    Args:
        what: what happened, without any secret.
        refused: it will not take it later either, unless somebody changes something.
        after: how long the receiver asks to be left alone.
    """

    def __init__(self, what: str, *, refused: bool = False, after: timedelta | None = None) -> None:
        super().__init__(what)
        self.refused = refused
        self.after = after
