"""``mlwright up`` on what a demo left: the data are of 2013, the clock is not. Nothing may come of that."""

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from mlwright.adapters.clock.replay import ReplayClock
from mlwright.adapters.clock.system import SystemClock
from mlwright.model.instants import to_micros
from mlwright.model.predictions import LabelBlock
from mlwright.model.rollouts import RolloutState
from mlwright.stages.ledger import store as ledger
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.journal import Journal
from mlwright.wiring.project import close, open_platform

DAY = timedelta(days=1)
END = datetime(2014, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def serve(platform, day: datetime, *, rows: int = 120) -> None:
    """One day of answers with their labels."""
    journal = Journal(platform.parts.settings.state / "log", SystemClock())
    at = [to_micros(day + timedelta(minutes=10 * row)) for row in range(rows)]
    keys = [f"{day:%Y%m%d}-{row}" for row in range(rows)]
    ids = [f"p{key}" for key in keys]
    late = [row % 3 == 0 for row in range(rows)]
    scores = [0.6 if (row * 7) % 10 < 6 else 0.2 for row in range(rows)]
    served = [True] * rows
    block = PredictionBlock(
        endpoint="delay",
        variant="champion",
        model_version="flight-delay/5",
        generation=1,
        logged_at=at[-1],
        latency_us=900,
        prediction_ids=ids,
        entity_keys=keys,
        event_times=at,
        served=served,
        scores=scores,
        features={"distance": [1.0] * rows},
    )
    labels = LabelBlock(
        endpoint="delay",
        received_at=at[-1],
        prediction_ids=ids,
        entity_keys=[""] * rows,
        labels=[float(each) for each in late],
        observed_at=[each + 3_600_000_000 for each in at],
    )
    journal.append(block)
    journal.append(labels)
    journal.close()


@pytest.fixture
def left(seed, tmp_path):
    """What a demo leaves, seen today. The last day of its year is in the log."""
    platform = open_platform(seed(tmp_path), clock=ReplayClock(NOW))
    serve(platform, END - DAY)
    yield platform
    close(platform)


def state(platform) -> dict[str, int]:
    return {
        "days": len(platform.watch.performance("delay", "day")),
        "months": len(platform.watch.performance("delay", "month")),
        "drift": len(platform.drifting.drift("delay")),
        "alerts": len(platform.alerting.alerts(limit=1000)),
        "runs": len(platform.training.list(limit=1000)),
        "versions": len(platform.releases.models()),
    }


def judged(platform) -> list:
    """What was decided; that a trigger was held up is written down once, beside it."""
    every = platform.records.decisions("delay", limit=1000)
    held = [each for each in every if each.kind == "trigger"]
    assert len(held) <= 1
    return [each for each in every if each.kind != "trigger"]


def test_ticks_of_today_add_nothing_to_a_year_that_is_over(left) -> None:
    before, champion = state(left), left.releases.status("delay").champion
    decided = len(judged(left))
    began = monotonic()
    for _ in range(3):
        (turn,) = left.tick()
        assert (turn.watched.days, turn.watched.months, turn.watched.alerts) == ((), (), ())
        assert turn.decision is None
    assert monotonic() - began < 5  # and not the twelve years between, day by day
    assert state(left) == before
    assert left.releases.status("delay").champion == champion
    # The rollout that ran cannot be decided any more: that ends it, once, and the champion answers everything.
    assert len(judged(left)) == decided + 1
    status = left.releases.status("delay")
    assert status.rollout is None
    assert [(each.version, each.share) for each in status.route.variants] == [(5, 1.0)]
    ended = left.rollouts.list("delay")[0].state
    assert ended in (RolloutState.INCONCLUSIVE, RolloutState.INVALID)


def test_the_demo_can_go_on_after_a_tick_of_today(left, tmp_path) -> None:
    left.tick()
    again = open_platform(tmp_path, clock=ReplayClock(END + DAY + timedelta(hours=12)))
    try:
        serve(again, END)
        watched = again.watch.watch("delay")
        assert [each.window.start for each in watched.days] == [END]
        assert watched.days[0].labelled == 120
    finally:
        close(again)


def test_days_without_an_answer_are_stepped_over_and_new_ones_are_judged(left) -> None:
    left.tick()
    for day in (NOW - 3 * DAY, NOW - 2 * DAY):
        serve(left, day.replace(hour=0, minute=0))
    watched = left.watch.watch("delay")
    assert [f"{each.window.start:%Y-%m-%d}" for each in watched.days] == ["2026-11-20", "2026-11-21"]
    assert left.watch.watch("delay").days == ()


def test_a_month_is_judged_once_all_of_it_is_known_even_if_it_ends_in_silence(left) -> None:
    left.tick()
    serve(left, datetime(2026, 10, 29, tzinfo=UTC))
    (month,) = left.watch.watch("delay").months
    assert (month.window.start, month.window.end) == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    assert month.predictions == 120
    assert left.watch.watch("delay").months == ()
    assert f"{left.watch.performance('delay', 'month')[-1].window.start:%Y-%m}" == "2026-10"


def test_a_month_in_which_the_last_day_is_silent_waits_for_its_end(seed, tmp_path) -> None:
    clock = ReplayClock(datetime(2026, 10, 30, 13, tzinfo=UTC))
    platform = open_platform(seed(tmp_path), clock=clock)
    try:
        serve(platform, datetime(2026, 10, 29, tzinfo=UTC))
        first = platform.watch.watch("delay")
        assert (len(first.days), first.months) == (1, ())
        clock.advance_to(datetime(2026, 11, 1, 11, tzinfo=UTC))
        assert platform.watch.watch("delay").months == ()
        clock.advance_to(datetime(2026, 11, 1, 12, tzinfo=UTC))
        (month,) = platform.watch.watch("delay").months
        assert month.window.start == datetime(2026, 10, 1, tzinfo=UTC)
    finally:
        close(platform)


def test_a_schedule_waits_for_new_answers_and_is_not_forgotten(left) -> None:
    left.rollouts.abort("delay", "not needed here")
    for _ in range(2):
        assert left.retraining.consider("delay") is None
    with left.parts.read() as tx:
        assert "2026-11" in (ledger.get_mark(tx, "schedule-due:delay") or "")
    serve(left, (NOW - DAY).replace(hour=0, minute=0))
    decision = left.retraining.consider("delay")
    # The seed's pipeline takes no dates: that is a failure, told once, and not repeated at every turn.
    assert decision.outcome == "failed: keep the champion"
    assert decision.reasons[0].startswith("alert delay-auc-2013-12-29")  # still open, and the stronger reason
    assert left.retraining.consider("delay") is None
    assert len(judged(left)) == 10 + 2
