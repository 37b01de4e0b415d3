"""How soon labels arrive: the curve against a slow one, and what a young window is told."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.model.windows import Window
from mlwright.stages.monitoring.maturity import maturity_curve, maturity_of, share_by

START = datetime(2013, 4, 1, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")


def frame(events, delays, labels):
    """Seconds of events, of delays (None: no label yet), labels."""
    seen = [
        None if d is None else START + timedelta(seconds=e + d) for e, d in zip(events, delays, strict=True)
    ]
    return pl.DataFrame(
        {
            "event_time": [START + timedelta(seconds=each) for each in events],
            "observed_at": seen,
            "label": [None if d is None else float(y) for d, y in zip(delays, labels, strict=True)],
        },
        schema={"event_time": INSTANT, "observed_at": INSTANT, "label": pl.Float64},
    )


def curve_of(rows, now):
    window = Window(start=START, end=START + timedelta(days=365))
    return maturity_curve(rows, endpoint="delay", window=window, now=now)


some = st.lists(
    st.tuples(st.integers(0, 50), st.none() | st.integers(0, 30), st.integers(0, 1)), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None)
@given(some)
def test_the_curve_is_kaplan_and_meiers(given_) -> None:
    now = 100
    events, delays, labels = zip(*given_, strict=True)
    found = curve_of(frame(events, delays, labels), START + timedelta(seconds=now))
    waited = [now - e if d is None else d for e, d, _ in given_]
    left, share, mean = 1.0, {}, 0.0
    for at in sorted({d for d in delays if d is not None}):
        risk = sum(each >= at for each in waited)
        came = [y for _, d, y in given_ if d == at]
        if risk < min(20, len(given_)):
            break
        mean += left * len(came) / risk * np.mean(came)
        left *= 1 - len(came) / risk
        share[at] = (1 - left, mean / (1 - left))
    assert found.delays == tuple(float(each) for each in share)
    assert found.shares == pytest.approx([each for each, _ in share.values()])
    assert found.means == pytest.approx([each for _, each in share.values()])
    assert list(found.shares) == sorted(found.shares)


def lived(n=6000, seed=0, span=10 * 86400, now=10 * 86400):
    """Delays are exponential with a mean of a day, twice that of late ones; a tenth never gets a label."""
    random = np.random.default_rng(seed)
    events = random.uniform(0, span, n)
    late = random.random(n) < 0.24
    delays = random.exponential(86400, n) * np.where(late, 2.0, 1.0)
    came = (random.random(n) > 0.1) & (events + delays <= now)
    rows = frame(events.tolist(), [float(d) if c else None for d, c in zip(delays, came, strict=True)], late)
    return rows, delays


def test_censoring_does_not_make_labels_look_rarer_than_they_are() -> None:
    rows, delays = lived()
    now = START + timedelta(days=10)
    found = curve_of(rows, now)
    for days in (1.0, 2.0, 4.0):
        truth = 0.9 * (delays <= days * 86400).mean()
        assert share_by(found, np.array([days * 86400.0]))[0] == pytest.approx(truth, abs=0.02)
    assert len(found.delays) <= 200
    plain = 1.0 - rows["label"].null_count() / rows.height
    assert found.final - plain > 0.04  # what a plain share would say
    assert found.final == pytest.approx(0.9, abs=0.02)
    assert 0.002 < found.errors[-1] < 0.02


def test_a_young_window_says_what_it_will_have_and_how_it_is_biased() -> None:
    now = START + timedelta(days=10)
    history, _ = lived()
    curve = curve_of(history, now)
    inside, n = 0, 600
    for seed in range(20):
        random = np.random.default_rng(seed)
        age = random.uniform(0, 86400, n)
        late = random.random(n) < 0.24
        delay = random.exponential(86400, n) * np.where(late, 2.0, 1.0)
        ever = random.random(n) > 0.1
        came = ever & (delay <= age)
        events = 10 * 86400 - age
        rows = frame(
            events.tolist(), [float(d) if c else None for d, c in zip(delay, came, strict=True)], late
        )
        told = maturity_of(rows, curve, now)
        assert told.arrived == pytest.approx(came.mean())
        assert told.due == pytest.approx(came.mean(), abs=0.08)
        inside += told.final.lower <= ever.sum() <= told.final.upper
    assert inside >= 17
    # Late ones are known later: the first labels are not a fair sample, and it says by how much.
    assert told.early_mean == pytest.approx(0.14, abs=0.03)
    assert told.final_mean == pytest.approx(0.24, abs=0.02)


def test_nothing_known_says_nothing() -> None:
    now = START + timedelta(days=1)
    none = frame([0, 1], [None, None], [0, 0])
    empty = curve_of(none, now)
    assert (empty.predictions, empty.labelled, empty.shares, empty.final) == (2, 0, (), 0.0)
    told = maturity_of(none, empty, now)
    assert (told.arrived, told.due, told.final, told.early_mean) == (0.0, None, None, None)
    assert curve_of(none.clear(), now).predictions == 0
    # A label that was observed before its event is there at once.
    assert curve_of(frame([50] * 30, [-20] * 30, [1] * 30), now).delays == (0.0,)
