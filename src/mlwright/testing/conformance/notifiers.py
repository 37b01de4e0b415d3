"""The exam of :class:`mlwright.ports.notifier.Notifier`.

::

    class TestMyChannel(NotifierConformance):
        @pytest.fixture
        def notifier(self) -> Notifier: ...

        @pytest.fixture
        def delivered(self) -> Delivered: ...     # () -> [(state, text), …] at the other end, one a message

        @pytest.fixture
        def broken(self) -> Notifier: ...         # its other end is not there

        @pytest.fixture
        def refusing(self) -> Notifier: ...       # its other end says no for good; skip where there is no such thing

The state is what the other end can tell: a wire without "acknowledged" may say ``firing``. The text holds what a person
reads there.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import pytest

from mlwright.model.alerting import ChannelTrouble, Notice, NoticeKind
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert, AlertLevel, AlertState, SuspectedChange
from mlwright.ports.notifier import Notifier
from mlwright.testing.conformance.gaps import Conformance

Delivered: TypeAlias = Callable[[], Sequence[tuple[str, str]]]

_FIRED = datetime(2013, 7, 1, 6, tzinfo=UTC)
ALERT = Alert(
    id=AlertId("delay-auc-2013-07-01"),
    rule="auc-dropped",
    endpoint=EndpointName("delay"),
    level=AlertLevel.PAGE,
    state=AlertState.FIRING,
    fired=_FIRED,
    summary="AUC fell from 0.71 to 0.66 \N{EM DASH} June, \N{GREEK SMALL LETTER ALPHA}",
    next_command="mlwright alerts show delay-auc-2013-07-01",
    owner="ada@example.org",
    runbook="https://runbooks.example.org/delay?a=1&b=2",
    suspected=SuspectedChange(
        at=_FIRED - timedelta(hours=3),
        what="flight-delay/7 was deployed",
        subject="endpoint:delay",
        by="grace",
        before=timedelta(hours=3),
    ),
    group="delay-auc-2013-07-01",
)
STRANGE: dict[str, object] = {
    "auc": float("nan"),
    "count": np.int64(3),
    "score": np.float32(0.5),
    "days": [datetime(2013, 6, 1, tzinfo=UTC), None],
    "nested": {"by": {"EWR": 1, "text": "two\nlines"}},
    "lone": "\udc80",
    "mention": "<!channel> & <script>",
}


def notice(
    *alerts: Alert, kind: NoticeKind = NoticeKind.CHANGE, key: str = "delay-auc-2013-07-01/41"
) -> Notice:
    """A message about alerts of one group, all of them news."""
    held = alerts or (ALERT,)
    return Notice(
        key=key,
        group="delay-auc-2013-07-01",
        endpoint=held[0].endpoint,
        at=_FIRED + timedelta(minutes=1),
        alerts=held,
        news=tuple(each.id for each in held),
        kind=kind,
    )


class NotifierConformance(Conformance):
    """What every channel promises. Subclasses supply ``notifier``, ``delivered``, ``broken`` and ``refusing``."""

    def test_has_a_name(self, notifier: Notifier) -> None:
        """Settings and logs refer to it; what it asks to hear again is a span of time."""
        assert notifier.name
        assert notifier.name == notifier.name.strip()
        assert notifier.resend is None or notifier.resend > timedelta(0)
        assert notifier.keeps in (True, False)

    def test_delivers_every_change_in_order(self, notifier: Notifier, delivered: Delivered) -> None:
        """Fired, acknowledged, resolved: three messages, each with an answer in words."""
        acknowledged = replace(ALERT, state=AlertState.ACKNOWLEDGED, acknowledged_by="ada")
        resolved = replace(acknowledged, state=AlertState.RESOLVED, resolved=_FIRED + timedelta(hours=2))
        said = [notifier.send(notice(each)) for each in (ALERT, acknowledged, resolved)]
        assert all(said)
        states = [state for state, _ in delivered()]
        assert states in (["firing", "acknowledged", "resolved"], ["firing", "firing", "resolved"])

    def test_says_what_a_person_needs(self, notifier: Notifier, delivered: Delivered) -> None:
        """The evidence, the runbook, the owner, the next command and the suspected change arrive."""
        notifier.send(notice(replace(ALERT, evidence={"lower": 0.6125})))
        [(_, text)] = delivered()
        wanted = (
            ALERT.summary,
            ALERT.runbook,
            ALERT.owner,
            ALERT.next_command,
            "flight-delay/7 was deployed",
        )
        for each in (*wanted, "0.6125"):
            assert str(each) in text, each

    def test_a_group_is_one_message(self, notifier: Notifier, delivered: Delivered) -> None:
        """Every member is in it, and it fires while one of them does."""
        other = replace(
            ALERT, id=AlertId("other"), rule="labels", summary="no labels", level=AlertLevel.TICKET
        )
        over = replace(ALERT, state=AlertState.RESOLVED, resolved=_FIRED + timedelta(minutes=1))
        notifier.send(notice(over, other))
        [(state, text)] = delivered()
        assert state == "firing"
        assert "labels" in text
        assert "no labels" in text

    def test_sending_again_delivers_again(self, notifier: Notifier, delivered: Delivered) -> None:
        """The caller decides when to repeat; the channel does not swallow it."""
        notifier.send(notice())
        notifier.send(notice())
        assert len(delivered()) == 2

    def test_strange_and_long_content_is_delivered(self, notifier: Notifier, delivered: Delivered) -> None:
        """Evidence that JSON does not know, and what is longer than a receiver takes, must not keep a page away."""
        long = "a long story \udc80 <!here> \r\n" * 2000
        many = tuple(
            replace(ALERT, id=AlertId(f"a{number}"), summary=long, evidence=STRANGE, rule="r" * 200)
            for number in range(30)
        )
        notifier.send(notice(*many))
        assert len(delivered()) == 1

    def test_a_broken_channel_raises_oserror(self, broken: Notifier) -> None:
        """Each time: a channel does not go quiet after a failure."""
        for _ in range(2):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - the port promises no more
                broken.send(notice())
            assert not getattr(caught.value, "refused", False)

    def test_a_receiver_that_says_no_is_told_apart(self, refusing: Notifier) -> None:
        """A wrong key is not mended by trying again in half a minute."""
        with pytest.raises(ChannelTrouble) as caught:
            refusing.send(notice())
        assert caught.value.refused
