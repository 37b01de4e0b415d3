"""The exam of :class:`mlwright.ports.tracking_server.TrackingServer`.

::

    class TestMyServer(TrackingServerConformance):
        @pytest.fixture
        def server(self) -> TrackingServer: ...      # keeps RUNS and VERSIONS and nothing else

        @pytest.fixture
        def broken(self) -> TrackingServer: ...      # its other end refuses or is not there

What a wire cannot carry it leaves out (None, "" or empty); what it carries must be right.
"""

from datetime import UTC, datetime, timedelta

import pytest

from mlwright.errors import ServerUnavailable
from mlwright.model.running import RunFact, VersionFact
from mlwright.ports.tracking_server import TrackingServer
from mlwright.testing.conformance.gaps import Conformance

SEEN = datetime(2026, 3, 31, 12, tzinfo=UTC)
_FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)

RUNS = (
    RunFact(
        id="a" * 32,
        experiment="churn",
        pipeline="train.py",
        started=_FIRST,
        ended=_FIRST + timedelta(minutes=5),
        commit="31d583c74a0999f434c224e10657f9d116149b63",
        datasets=1,
        metrics=("auc", "brier"),
        params=("depth",),
    ),
    RunFact(id="b" * 32, experiment="churn", status="FAILED", started=_FIRST + timedelta(days=2)),
    RunFact(id="c" * 32, experiment="\N{GREEK SMALL LETTER ALPHA} fraud", started=_FIRST + timedelta(days=1)),
    RunFact(id="d" * 32, experiment="churn", status="RUNNING", started=_FIRST + timedelta(milliseconds=1500)),
)
VERSIONS = (
    VersionFact(model="fraud", version="1", created=_FIRST + timedelta(days=1), run="c" * 32),
    VersionFact(
        model="churn",
        version="1",
        created=_FIRST + timedelta(minutes=5),
        aliases=("champion", "stable"),
        run="a" * 32,
        described=True,
    ),
    VersionFact(model="churn", version="2", created=_FIRST + timedelta(days=3)),
)


class TrackingServerConformance(Conformance):
    """What every tracking server promises. Subclasses supply ``server`` and ``broken``."""

    def test_has_a_source(self, server: TrackingServer) -> None:
        """Reports name it."""
        assert server.source
        assert server.facts(SEEN).source == server.source

    def test_keeps_the_instant_of_the_look(self, server: TrackingServer) -> None:
        """Everything recent is counted from it."""
        assert server.facts(SEEN).seen == SEEN

    def test_runs_come_newest_first(self, server: TrackingServer) -> None:
        """Probes look at the newest."""
        assert [run.id[0] for run in server.facts(SEEN).runs] == ["b", "c", "d", "a"]

    def test_runs_are_what_was_kept(self, server: TrackingServer) -> None:
        """Names, instants to the millisecond, status, code, metrics and params."""
        found = {run.id: run for run in server.facts(SEEN).runs}
        for kept in RUNS:
            got = found[kept.id]
            assert (got.experiment, got.status) == (kept.experiment, kept.status)
            assert (got.started, got.ended) == (kept.started, kept.ended)
            assert (got.commit, got.metrics, got.params) == (kept.commit, kept.metrics, kept.params)
            assert got.datasets == kept.datasets

    def test_versions_come_by_model_then_newest_first(self, server: TrackingServer) -> None:
        """One order, whatever the wire sends."""
        found = [(each.model, each.version) for each in server.facts(SEEN).versions]
        assert found == [("churn", "2"), ("churn", "1"), ("fraud", "1")]

    def test_versions_are_what_was_kept(self, server: TrackingServer) -> None:
        """Names, instants, aliases, and the run behind them."""
        found = {(each.model, each.version): each for each in server.facts(SEEN).versions}
        for kept in VERSIONS:
            got = found[kept.model, kept.version]
            assert (got.created, got.aliases, got.run) == (kept.created, kept.aliases, kept.run)
            assert bool(got.described) == bool(kept.described)

    def test_asked_again_says_the_same(self, server: TrackingServer) -> None:
        """A report is made twice and compared."""
        assert server.facts(SEEN) == server.facts(SEEN)

    def test_a_broken_server_says_so_with_the_next_command(self, broken: TrackingServer) -> None:
        """Each time."""
        for _ in range(2):
            with pytest.raises(ServerUnavailable) as caught:
                broken.facts(SEEN)
            assert caught.value.next_command
