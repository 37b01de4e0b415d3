"""A day is read once, whoever looks at it, and what is read is what the log says."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from polars.testing import assert_frame_equal

from mlwright.model.windows import Window
from mlwright.platform.facade import Platform
from mlwright.platform.logged import Logged
from mlwright.stages.serving.log import PredictionLog

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class CountingLog(PredictionLog):
    """Counts what it is asked for."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.reads = Counter()

    def predictions(self, window, **asked):
        self.reads["predictions"] += 1
        return super().predictions(window, **asked)

    def features(self, window, **asked):
        self.reads["features"] += 1
        return super().features(window, **asked)


def test_a_day_is_read_once_in_a_turn(released) -> None:
    released.change(retrain=None)
    released.serve(OPEN, 2)
    log = CountingLog(released.root / "log")
    platform = Platform(replace(released.platform.parts, log=log))
    watch = platform.watch
    released.wind(OPEN + DAY + timedelta(hours=13))
    (day,) = watch.watch("delay").days
    assert (day.predictions, log.reads) == (150, {"predictions": 1, "features": 1})
    released.clock.advance(timedelta(minutes=1))
    assert watch.watch("delay").days == ()
    assert log.reads.total() == 2
    log.reads.clear()
    assert len(platform.drifting.look("delay")) == 1
    assert log.reads == {"predictions": 1, "features": 1}
    assert platform.drifting.look("delay") == ()
    assert log.reads.total() == 2


def test_what_is_read_is_what_the_log_says(released) -> None:
    released.serve(OPEN, 2)
    log, day = CountingLog(released.root / "log"), Window(start=OPEN, end=OPEN + DAY)
    read = Logged(log, "delay", day)
    plain = PredictionLog(released.root / "log")
    for _ in range(2):
        assert_frame_equal(read.answered, plain.predictions(day, endpoint="delay"))
        assert_frame_equal(read.served, plain.predictions(day, endpoint="delay", served_only=True))
        assert_frame_equal(read.features, plain.features(day, endpoint="delay"))
    assert log.reads == {"predictions": 1, "features": 1}
    assert read.of(day) is read
    later = read.of(Window(start=OPEN + DAY, end=OPEN + 2 * DAY))
    assert later.instants["event_time"].is_between(OPEN + DAY, OPEN + 2 * DAY, closed="left").all()
    assert later.instants.height == 150
