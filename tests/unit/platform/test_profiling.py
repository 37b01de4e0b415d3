"""An endpoint or a version measured, and what is kept of it."""

from dataclasses import replace

import pytest

from mlwright.errors import NotFound, UsageError
from mlwright.model.evidence import EvidenceKind, Outcome
from mlwright.platform.facade import Platform
from mlwright.testing.fakes.measuring import ImaginedMeasuring

SIZES = (1, 4, 16)


@pytest.fixture
def measured(released):
    """The project with a day in its log, and a server that need not be started."""
    released.serve(released.clock.now(), label=False)
    server = ImaginedMeasuring()
    return Platform(replace(released.platform.parts, measuring=server)), server


def test_an_endpoint_is_measured_with_what_it_was_asked(measured) -> None:
    platform, server = measured
    before = platform.parts.log.predictions(None).height
    found = platform.profiling.profile("delay", rows=SIZES, seconds=0.2)
    assert found.versions == ("delay/1",)
    assert found.origins["log"] == 150
    assert [each.rows for each in found.core] == [each.rows for each in found.bare] == list(SIZES)
    assert all(0 < len(each.seconds) <= 200 for each in (*found.core, *found.bare))
    assert found.core[0].quantile(0.5) > found.bare[0].quantile(0.5)
    assert found.scalability is not None
    assert found.scalability.alpha == pytest.approx(0.1, abs=0.01)
    assert platform.parts.log.predictions(None).height == before
    [(endpoint, route, load)] = server.served
    assert (endpoint.name, route.variants[0].version) == ("delay", 1)
    assert set(load.requests[0]) == {"x", "origin", "flight_id", "predict_at"}
    assert load.answer is not None


def test_a_profile_is_kept_with_the_version_and_read_again(measured) -> None:
    platform, _ = measured
    found = platform.profiling.profile("delay", rows=SIZES, seconds=0.2)
    [kept] = [each for each in platform.dossiers.evidence("delay/1") if each.kind == EvidenceKind.PROFILE]
    assert kept.outcome == Outcome.PASSED
    assert "1 row in" in kept.summary
    assert platform.profiling.latest("delay/1") == found


def test_a_version_is_measured_behind_an_endpoint_of_its_own(measured) -> None:
    platform, server = measured
    found = platform.profiling.profile("delay/1", rows=SIZES, seconds=0.2)
    assert (found.subject, found.versions) == ("delay/1", ("delay/1",))
    [(endpoint, _, load)] = server.served
    assert not endpoint.keyed
    assert set(load.requests[0]) == {"x", "wind"}


def test_without_a_log_the_held_out_rows_are_asked(released) -> None:
    found = released.platform.profiling.profile("delay/1", rows=(1,), seconds=0.1)
    assert found.origins["held out"] > 100
    assert found.served is None


@pytest.mark.parametrize("rows", [(), (0, 1), (4, 1), (1, 1)])
def test_sizes_that_do_not_ascend_are_refused(released, rows) -> None:
    with pytest.raises(UsageError, match="ascend"):
        released.platform.profiling.profile("delay", rows=rows)


def test_a_name_that_nothing_has_is_answered_with_the_nearest(released) -> None:
    with pytest.raises(NotFound, match="delay"):
        released.platform.profiling.profile("delya")


def test_nothing_behind_the_endpoint_says_so(project) -> None:
    with pytest.raises(NotFound, match="nothing is behind endpoint 'delay'"):
        project.platform.profiling.profile("delay")


def test_a_version_without_a_profile_has_none(released) -> None:
    assert released.platform.profiling.latest("delay/1") is None
