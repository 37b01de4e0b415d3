"""The exam of :class:`mlwright.ports.notifier.Notifier`.

::

    class TestMyChannel(NotifierConformance):
        @pytest.fixture
        def notifier(self) -> Notifier: ...

        @pytest.fixture
        def delivered(self) -> Delivered: ...     # () -> [(alert id, state, summary), …] at the other end

        @pytest.fixture
        def broken(self) -> Notifier: ...         # its other end refuses or is not there

The state is what the other end can tell: a wire without "acknowledged" may say ``firing``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import pytest

from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.ports.notifier import Notifier
from mlwright.testing.conformance.gaps import Conformance

Delivered: TypeAlias = Callable[[], Sequence[tuple[str, str, str]]]

_FIRED = datetime(2013, 7, 1, 6, tzinfo=UTC)
ALERT = Alert(
    id=AlertId("alert-1"),
    rule="auc-dropped",
    endpoint=EndpointName("delay"),
    level=AlertLevel.PAGE,
    state=AlertState.FIRING,
    fired=_FIRED,
    summary="AUC fell from 0.71 to 0.66 \N{EM DASH} June, \N{GREEK SMALL LETTER ALPHA}",
    next_command="mlwright alerts show alert-1",
)
STRANGE: dict[str, object] = {
    "auc": float("nan"),
    "count": np.int64(3),
    "score": np.float32(0.5),
    "days": [datetime(2013, 6, 1, tzinfo=UTC), None],
    "nested": {"by": {"EWR": 1, "text": "two\nlines"}},
    "lone": "\udc80",
}


class NotifierConformance(Conformance):
    """What every channel promises. Subclasses supply ``notifier``, ``delivered`` and ``broken``."""

    def test_has_a_name(self, notifier: Notifier) -> None:
        """Settings and logs refer to it."""
        assert notifier.name
        assert notifier.name == notifier.name.strip()

    def test_delivers_every_change_in_order(self, notifier: Notifier, delivered: Delivered) -> None:
        """Fired, acknowledged, resolved: three messages."""
        acknowledged = replace(ALERT, state=AlertState.ACKNOWLEDGED, acknowledged_by="ada")
        resolved = replace(acknowledged, state=AlertState.RESOLVED, resolved=_FIRED + timedelta(hours=2))
        for alert in (ALERT, acknowledged, resolved):
            notifier.send(alert)
        got = list(delivered())
        assert [(each, text) for each, _, text in got] == [("alert-1", ALERT.summary)] * 3
        assert [state for _, state, _ in got] in (
            ["firing", "acknowledged", "resolved"],
            ["firing", "firing", "resolved"],
        )

    def test_sending_again_delivers_again(self, notifier: Notifier, delivered: Delivered) -> None:
        """The caller decides when to repeat; the channel does not swallow it."""
        notifier.send(ALERT)
        notifier.send(ALERT)
        assert len(delivered()) == 2

    def test_strange_evidence_is_delivered(self, notifier: Notifier, delivered: Delivered) -> None:
        """Evidence that JSON does not know must not keep a page from a person."""
        notifier.send(replace(ALERT, evidence=STRANGE))
        assert len(delivered()) == 1

    def test_a_broken_channel_raises_oserror(self, broken: Notifier) -> None:
        """Each time: a channel does not go quiet after a failure."""
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011 - the port promises no more
                broken.send(ALERT)
