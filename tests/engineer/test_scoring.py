"""Readiness and what to do first: shares of risk, what is mended always counts, and one order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Lifecycle, Probe, When
from mlwright.engineer.probing import ask
from mlwright.engineer.scoring import readiness, recommend
from mlwright.model.assessment import Interval, Profile, RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Finding, Outcome

PROFILE = Profile(
    kind=RepositoryKind.APPLICATION, trains=True, serves=True, frameworks=(), tools=(), reasons=()
)
REPOSITORY = Repository(name="r", files=(), profile=PROFILE)


def probe(id: str, outcome: Outcome = Outcome.TRUE, **given) -> Probe:
    return Probe(
        id=id,
        title=id,
        why=f"why {id}",
        remedy=f"mend {id}",
        look=lambda repository: Answer(outcome=outcome, evidence=f"evidence of {id}"),
        **{"when": When.ALWAYS, "severity": Severity.INFO, **given},
    )


def assess(*probes: Probe) -> tuple[tuple[Finding, ...], dict[str, Probe]]:
    return ask(REPOSITORY, probes), {each.id: each for each in probes}


def score(*probes: Probe) -> Interval:
    return readiness(*assess(*probes))


def order(*probes: Probe) -> list[str]:
    return [each.finding for each in recommend(*assess(*probes), PROFILE)]


class TestReadiness:
    def test_it_is_the_share_of_risk_that_is_in_hand(self):
        found = score(
            probe("a.error", Outcome.TRUE, severity=Severity.ERROR),
            probe("a.warning", Outcome.FALSE, severity=Severity.WARNING),
            probe("a.info", Outcome.TRUE, severity=Severity.INFO),
        )
        assert found == Interval(low=75.0, high=75.0)

    @pytest.mark.parametrize(
        ("outcome", "elsewhere", "expected"),
        [
            (Outcome.TRUE, False, (100, 100)),
            (Outcome.FALSE, False, (50, 50)),
            (Outcome.FALSE, True, (50, 100)),
            (Outcome.NOT_AVAILABLE, False, (50, 100)),
            (Outcome.NOT_SUPPORTED, False, (50, 100)),
            (Outcome.ERROR, False, (50, 100)),
            (Outcome.NOT_APPLICABLE, False, (100, 100)),
        ],
    )
    def test_unknown_earns_above_alone_and_what_does_not_arise_weighs_nothing(
        self, outcome, elsewhere, expected
    ):
        found = score(probe("a.well"), probe("a.other", outcome, elsewhere=elsewhere))
        assert (found.low, found.high) == expected

    @pytest.mark.parametrize(("elsewhere", "high"), [(False, 0.0), (True, 100.0)])
    def test_what_waits_weighs_and_is_as_possible_as_what_it_waits_for(self, elsewhere, high):
        found = score(
            probe("a.first", Outcome.FALSE, elsewhere=elsewhere), probe("a.second", after="a.first")
        )
        assert found == Interval(low=0.0, high=high)

    def test_an_experiment_is_not_scored(self):
        trial = probe("a.trial", Outcome.FALSE, lifecycle=Lifecycle.EXPERIMENTAL)
        assert score(probe("a.well"), trial) == Interval(low=100.0, high=100.0)

    def test_where_nothing_counts_nothing_is_known(self):
        assert score() == Interval(low=0.0, high=100.0)

    def test_answers_of_people_weigh_nothing(self):
        found, probes = assess(probe("a.well"))
        said = Finding(id="microsoft.people.2", title="", outcome=Outcome.FALSE, evidence="")
        assert readiness((*found, said), probes) == Interval(low=100.0, high=100.0)

    @pytest.mark.parametrize(
        ("kind", "low"),
        [(RepositoryKind.APPLICATION, 50.0), (RepositoryKind.LIBRARY, 100.0), (RepositoryKind.OTHER, 100.0)],
    )
    def test_only_an_application_is_expected_to_run(self, kind, low):
        probes = {each.id: each for each in (probe("a.well"), probe("running.runs", when=When.RUNNING))}
        found = ask(replace(REPOSITORY, profile=replace(PROFILE, kind=kind)), probes.values())
        assert readiness(found, probes) == Interval(low=low, high=100.0)

    @given(st.data())
    def test_a_mended_finding_always_raises_the_score_whatever_comes_to_light_behind_it(self, data):
        """Probes in a random tree, with any answers; one FALSE becomes TRUE, and those behind it are asked."""
        probes = []
        for number in range(data.draw(st.integers(2, 8))):
            before = data.draw(st.none() | st.integers(0, number - 1)) if number else None
            probes.append(
                probe(
                    f"a.{number}",
                    data.draw(st.sampled_from(list(Outcome))),
                    severity=data.draw(st.sampled_from(list(Severity))),
                    elsewhere=data.draw(st.booleans()),
                    after=None if before is None else f"a.{before}",
                )
            )
        found, known = assess(*probes)
        old = readiness(found, known)
        assert 0.0 <= old.low <= old.high <= 100.0
        for finding in found:
            if finding.outcome is Outcome.FALSE:
                mended = probe(finding.id, Outcome.TRUE)
                changed = replace(known[finding.id], look=mended.look)
                new = readiness(ask(REPOSITORY, {**known, finding.id: changed}.values()), known)
                assert new.low > old.low
                if not known[finding.id].elsewhere:
                    assert new.high >= old.high


class TestRecommendations:
    def test_risk_by_gain_by_work(self):
        assert order(
            probe("a.grave", Outcome.FALSE, severity=Severity.ERROR, effort=Effort.DAYS),  # 8·8/16 = 4
            probe("a.quick", Outcome.FALSE, severity=Severity.WARNING, effort=Effort.MINUTES),  # 3·3/1 = 9
            probe("a.long", Outcome.FALSE, severity=Severity.ERROR, effort=Effort.WEEKS),  # 8·8/64 = 1
            probe("a.well"),
        ) == ["a.quick", "a.grave", "a.long"]

    def test_ties_go_by_id(self):
        assert order(probe("a.b", Outcome.FALSE), probe("a.a", Outcome.FALSE)) == ["a.a", "a.b"]

    def test_certain_comes_before_not_seen_before_unknown(self):
        assert order(
            probe("a.certain", Outcome.FALSE, effort=Effort.WEEKS),
            probe(
                "a.elsewhere", Outcome.FALSE, severity=Severity.ERROR, effort=Effort.MINUTES, elsewhere=True
            ),
            probe("a.unknown", Outcome.NOT_AVAILABLE, severity=Severity.ERROR, effort=Effort.MINUTES),
            probe("a.dear", Outcome.NOT_AVAILABLE, severity=Severity.ERROR, effort=Effort.HOURS),
        ) == ["a.certain", "a.elsewhere", "a.unknown"]

    def test_what_waits_and_what_is_an_experiment_are_not_offered(self):
        assert order(
            probe("a.first", Outcome.FALSE),
            probe("a.second", Outcome.FALSE, after="a.first"),
            probe("a.trial", Outcome.FALSE, lifecycle=Lifecycle.EXPERIMENTAL),
        ) == ["a.first"]

    def test_gain_is_what_readiness_rises_by(self):
        found, probes = assess(
            probe("a.one", Outcome.FALSE), probe("a.two"), probe("a.three", Outcome.NOT_AVAILABLE)
        )
        first = recommend(found, probes, PROFILE)[0]
        assert first.gain == pytest.approx(100 / 3)
        assert (first.why, first.remedy) == ("why a.one", "mend a.one")

    def test_it_names_the_items_that_rise(self):
        given = (
            probe("dependencies.locked", Outcome.FALSE, effort=Effort.MINUTES, fix="lock"),
            probe("model.seeded"),
            probe("data.versioned"),
        )
        first = recommend(*assess(*given), PROFILE)[0]
        assert "ml-test-score/I1" in first.items
        assert "technical-debt/reproducibility" in first.items
        assert "ml-test-score/D1" not in first.items
        assert first.fix == "lock"
        library = replace(PROFILE, kind=RepositoryKind.LIBRARY)
        assert not any("ml-test-score" in item for item in recommend(*assess(*given), library)[0].items)

    def test_the_order_of_findings_changes_nothing(self):
        found, probes = assess(probe("a.a", Outcome.FALSE), probe("a.b", Outcome.FALSE), probe("a.c"))
        assert recommend(found, probes, PROFILE) == recommend(reversed(found), probes, PROFILE)
