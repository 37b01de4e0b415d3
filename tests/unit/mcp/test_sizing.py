"""Queues with known answers."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.mcp.sizing import Load, erlang_c, size


@given(st.floats(0.01, 0.99))
def test_one_server_makes_wait_as_often_as_it_is_busy(busy: float) -> None:
    assert erlang_c(1, busy) == pytest.approx(busy)


@given(st.floats(0.01, 0.99))
def test_two_servers_follow_the_closed_form(busy: float) -> None:
    assert erlang_c(2, 2 * busy) == pytest.approx(2 * busy**2 / (1 + busy))


def test_a_known_value_of_erlang() -> None:
    # 10 servers at 8 erlangs: 0.4092 in the tables (Cooper, Introduction to Queueing Theory).
    assert erlang_c(10, 8.0) == pytest.approx(0.4092, abs=5e-5)
    assert erlang_c(8, 8.0) == 1.0


def test_one_replica_waits_as_long_as_the_formula_says() -> None:
    load = Load(rate=5.0, service=0.1, target=10.0, service_at_quantile=0.2)
    found = size(load)
    assert found.replicas == 1
    assert found.wait == pytest.approx(log(0.5 / 0.01) / (10 - 5))
    assert found.response == pytest.approx(found.wait + 0.2)
    assert found.binding == "capacity"


def test_a_slow_model_is_not_helped_by_replicas() -> None:
    found = size(Load(rate=1.0, service=0.2, target=0.3, service_at_quantile=0.4))
    assert (found.replicas, found.binding) == (None, "service_time")
    assert size(Load(rate=1e6, service=1e4, target=1e6)).binding == "capacity"


loads = st.builds(
    Load,
    rate=st.floats(0.1, 500),
    service=st.floats(0.001, 0.2),
    target=st.floats(0.01, 5),
    quantile=st.floats(0.5, 0.999),
    concurrency=st.integers(1, 8),
    arrival_cv2=st.floats(0, 5),
    error_rate=st.floats(0, 0.5),
)


@given(loads)
def test_the_answer_keeps_the_promise_and_more_load_never_needs_less(load: Load) -> None:
    found = size(load)
    more = size(replace(load, rate=load.rate * 1.2))
    if found.replicas is None:
        assert more.replicas is None
        return
    assert found.response is not None
    assert found.response <= load.target
    assert found.utilisation is not None
    assert found.utilisation < 1
    assert more.replicas is not None
    assert more.replicas >= found.replicas
