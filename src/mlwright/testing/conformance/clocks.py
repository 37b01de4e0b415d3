"""The exam of :class:`mlwright.ports.clock.Clock`: supply the fixture ``clock``."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from mlwright.ports.clock import Clock
from mlwright.testing.conformance.gaps import Conformance


class ClockConformance(Conformance):
    """What every clock promises. Subclasses supply the fixture ``clock``."""

    def test_aware_and_in_utc(self, clock: Clock) -> None:
        """An instant without a zone is never given out."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_never_before_an_earlier_answer(self, clock: Clock) -> None:
        """Equal is allowed, earlier is not."""
        answers = [clock.now() for _ in range(1000)]
        assert answers == sorted(answers)

    def test_threads_see_one_time(self, clock: Clock) -> None:
        """What one thread was told is in no thread's future."""

        def look(_: int) -> tuple[datetime, datetime]:
            return clock.now(), clock.now()

        before = clock.now()
        with ThreadPoolExecutor(4) as pool:
            pairs = list(pool.map(look, range(400)))
        after = clock.now()
        assert all(before <= first <= second <= after for first, second in pairs)
