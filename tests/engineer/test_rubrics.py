"""Rubrics against known answers: bands, the minimum, levels, intervals, and one fault that costs one item."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.engineer.catalogue import own_probes
from mlwright.engineer.probe import Lifecycle
from mlwright.engineer.rubrics.ai_act import dates
from mlwright.engineer.rubrics.catalogue import IN_NO_RUBRIC, QUESTIONS, RUBRICS, names, views
from mlwright.engineer.rubrics.documents import CARD_SECTIONS
from mlwright.engineer.rubrics.items import Seen, item_of
from mlwright.engineer.rubrics.ml_test_score import ML_TEST_SCORE
from mlwright.engineer.rubrics.scales import band
from mlwright.engineer.rubrics.shape import check, question
from mlwright.model.assessment import Interval, Item, Profile, RepositoryKind, RubricView
from mlwright.model.findings import Finding, Outcome, Rung

BOTH = Profile(
    kind=RepositoryKind.APPLICATION, trains=True, serves=True, frameworks=(), tools=(), reasons=("by hand",)
)
ALL_CHECKS = [(rubric, each) for rubric in RUBRICS for chapter in rubric.chapters for each in chapter.checks]
STATIC = sorted(name for name in names() if not name.startswith("running."))
MAIN = {
    "D1": "data.validation_runs",
    "D2": "data.feature_importance",
    "D3": "data.feature_costs",
    "D4": "data.feature_policy",
    "D5": "data.privacy_controls",
    "D6": "data.feature_definitions",
    "D7": "data.feature_code_tested",
    "M1": "model.reviewed",
    "M2": "model.online_metric_linked",
    "M3": "model.hyperparameters_searched",
    "M4": "model.staleness_studied",
    "M5": "model.baseline_compared",
    "M6": "model.slices_evaluated",
    "M7": "model.fairness_evaluated",
    "I1": "dependencies.locked",
    "I2": "tests.model_tested",
    "I3": "tests.pipeline_tested",
    "I4": "model.quality_gate",
    "I5": "model.explainable",
    "I6": "release.canary",
    "I7": "release.rollback",
    "O1": "dependencies.updates_notified",
    "O2": "data.validated_when_served",
    "O3": "data.feature_code_shared",
    "O5": "model.numerics_guarded",
    "O6": "monitoring.performance_benchmarked",
    "O7": "monitoring.prediction_quality",
}


def found(id: str, outcome: Outcome = Outcome.TRUE, **values) -> Finding:
    return Finding(id=id, title=id, outcome=outcome, evidence=f"evidence of {id}", values=values)


def findings(outcome: Outcome = Outcome.TRUE, **but: Outcome | Finding) -> list[Finding]:
    """One finding for each probe that reads files, with exceptions: dots in ids are written as two underscores."""
    given = {id: found(id, outcome) for id in STATIC}
    for name, other in but.items():
        id = name.replace("__", ".")
        given[id] = other if isinstance(other, Finding) else found(id, other)
    return list(given.values())


def view(
    rubric: str, given: list[Finding], profile: Profile = BOTH, elsewhere: frozenset[str] = frozenset()
) -> RubricView:
    return next(each for each in views(given, profile, elsewhere) if each.id == rubric)


def items_of(view: RubricView) -> dict[str, Item]:
    return {item.id: item for section in view.sections for item in section.items}


def seen(*given: Finding, elsewhere: tuple[str, ...] = ()) -> Seen:
    return Seen(findings={each.id: each for each in given}, elsewhere=frozenset(elsewhere))


class TestTheMLTestScore:
    BANDS = ("research project", "serious holes", "first pass", "reasonably", "strong", "exceptional")
    EDGES = tuple(
        zip((0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 5, 5.5, 7), (0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5), strict=True)
    )

    @pytest.mark.parametrize(("points", "number"), EDGES)
    def test_bands_are_those_of_the_paper_of_2017(self, points, number):
        assert self.BANDS[number] in band(points)

    def test_there_are_seven_tests_in_each_of_four_sections(self):
        ids = [[each.id for each in chapter.checks] for chapter in ML_TEST_SCORE.chapters]
        assert ids == [[f"{letter}{number}" for number in range(1, 8)] for letter in "DMIO"]

    def test_files_alone_earn_half_of_each(self):
        score = view("ml-test-score", findings())
        assert score.points == Interval(low=3.5, high=7.0)
        assert {each.points for each in items_of(score).values()} == {Interval(low=0.5, high=1.0)}
        assert score.verdict.startswith("3.5 to 7: strong")
        assert "at best exceptional" in score.verdict

    def test_the_weakest_section_is_the_score(self):
        given = findings(model__explainable=Outcome.FALSE, tests__model_tested=Outcome.FALSE)
        score = view("ml-test-score", given)
        assert [section.points.low for section in score.sections] == [3.5, 3.5, 2.5, 3.5]
        assert score.points == Interval(low=2.5, high=5.0)
        assert score.next_level.startswith("more than 3 in every section")
        assert "model.explainable" in score.blocking
        assert "data.contract" not in score.blocking  # the section of data is strong enough already

    def test_nothing_shown_is_a_research_project(self):
        score = view("ml-test-score", findings(Outcome.FALSE))
        assert score.points == Interval(low=0.0, high=0.0)
        assert score.verdict == "0: more of a research project than a productionized system"
        assert len(score.blocking) >= 28

    def test_nothing_known_is_an_open_interval(self):
        score = view("ml-test-score", [])
        assert score.points == Interval(low=0.0, high=7.0)

    @pytest.mark.parametrize(("item", "probe"), sorted(MAIN.items()))
    def test_one_fault_costs_exactly_one_item(self, item, probe):
        before = items_of(view("ml-test-score", findings()))
        after = items_of(view("ml-test-score", findings(**{probe.replace(".", "__"): Outcome.FALSE})))
        assert [id for id in after if after[id].points != before[id].points] == [item]
        assert after[item].points == Interval(low=0.0, high=0.0)
        assert after[item].against[-1] == probe
        assert after[item].next_step

    def test_the_age_of_a_model_stands_in_for_a_schedule(self):
        one = findings(pipeline__scheduled=Outcome.FALSE)
        none = findings(pipeline__scheduled=Outcome.FALSE, monitoring__model_age=Outcome.FALSE)
        assert items_of(view("ml-test-score", one))["O4"].points.low == 0.5
        assert items_of(view("ml-test-score", none))["O4"].points == Interval(low=0.0, high=0.0)

    def test_records_of_what_ran_earn_the_whole(self):
        ran = [found(name) for name in names() if name.startswith("running.")]
        score = view("ml-test-score", findings() + ran)
        whole = {id for id, item in items_of(score).items() if item.points.low == 1.0}
        assert whole == {"D1", "M1", "I4", "I6", "I7", "O4", "O7"}
        assert score.points == Interval(low=4.0, high=7.0)
        assert items_of(score)["I1"].rung is Rung.EXECUTED

    def test_a_record_that_says_no_ends_the_climb(self):
        ran = [found("running.versions_gated"), found("running.gate_has_blocked", Outcome.FALSE)]
        item = items_of(view("ml-test-score", findings() + ran))["I4"]
        assert (item.rung, item.points) == (Rung.EXECUTED, Interval(low=0.5, high=0.5))
        assert item.against == ("running.gate_has_blocked",)
        assert item.next_step == "gate every promotion, and see the gate refuse once"

    def test_a_contract_that_nobody_runs_is_declared_and_earns_nothing(self):
        item = items_of(view("ml-test-score", findings(data__validation_runs=Outcome.FALSE)))["D1"]
        assert (item.rung, item.points.low, item.because) == (Rung.DECLARED, 0.0, ("data.contract",))

    def test_a_part_that_does_not_arise_counts_nowhere(self):
        given = findings(
            data__feature_code_shared=Outcome.NOT_APPLICABLE,
            data__validated_when_served=Outcome.NOT_APPLICABLE,
        )
        score = view("ml-test-score", given)
        assert score.sections[3].out_of == 5.0
        assert score.sections[3].points.low == 2.5
        assert not items_of(score)["O3"].applies

    def test_no_source_of_chance_is_no_obstacle_to_reproducing(self):
        given = findings(model__seeded=Outcome.NOT_APPLICABLE)
        assert items_of(view("ml-test-score", given))["I1"].points.low == 0.5


class TestIntervals:
    ITEM = check("x", "x", "do it", executable="a.a")

    @pytest.mark.parametrize(
        ("outcome", "elsewhere", "points"),
        [
            (Outcome.TRUE, False, (1, 1)),
            (Outcome.FALSE, False, (0, 0)),
            (Outcome.FALSE, True, (0, 1)),
            (Outcome.NOT_AVAILABLE, False, (0, 1)),
            (Outcome.NOT_SUPPORTED, False, (0, 1)),
            (Outcome.ERROR, False, (0, 1)),
        ],
    )
    def test_unknown_counts_above_and_not_below(self, outcome, elsewhere, points):
        item = item_of(self.ITEM, seen(found("a.a", outcome), elsewhere=("a.a",) if elsewhere else ()))
        assert (item.points.low, item.points.high) == points

    @pytest.mark.parametrize(
        ("before", "elsewhere", "high"),
        [
            (Outcome.FALSE, False, 0),
            (Outcome.FALSE, True, 1),
            (Outcome.NOT_AVAILABLE, False, 1),
        ],
    )
    def test_what_waits_is_as_possible_as_what_it_waits_for(self, before, elsewhere, high):
        waiting = found("a.a", Outcome.NOT_APPLICABLE, blocked_by="a.b")
        between = found("a.b", Outcome.NOT_APPLICABLE, blocked_by="a.c")
        given = seen(waiting, between, found("a.c", before), elsewhere=("a.c",) if elsewhere else ())
        item = item_of(self.ITEM, given)
        assert item.applies
        assert item.points == Interval(low=0.0, high=high)
        assert item.against == ("a.c",)

    def test_what_waits_for_itself_ends(self):
        waiting = found("a.a", Outcome.NOT_APPLICABLE, blocked_by="a.a")
        assert not item_of(self.ITEM, seen(waiting)).applies

    def test_one_of_two_is_enough_and_both_must_be_missing(self):
        either = check("x", "x", "do it", executable="a.a | a.b")
        no, unsure = found("a.a", Outcome.FALSE), found("a.b", Outcome.NOT_AVAILABLE)
        assert item_of(either, seen(no, found("a.b"))).points == Interval(low=1.0, high=1.0)
        assert item_of(either, seen(no, unsure)).points == Interval(low=0.0, high=1.0)
        assert item_of(either, seen(no, found("a.b", Outcome.FALSE))).points == Interval(low=0.0, high=0.0)

    def test_a_question_is_open_until_somebody_answers(self):
        asked = question("people.1", "they talk")
        assert item_of(asked, seen()).points == Interval(low=0.0, high=1.0)
        assert 'question = "people.1"' in item_of(asked, seen()).next_step
        yes = item_of(asked, seen(found("people.1")))
        assert (yes.rung, yes.points) == (Rung.DECLARED, Interval(low=1.0, high=1.0))
        assert item_of(asked, seen(found("people.1", Outcome.FALSE))).points == Interval(low=0.0, high=0.0)

    @given(
        st.dictionaries(
            st.sampled_from(sorted(names())),
            st.sampled_from(list(Outcome)),
            min_size=len(names()),
            max_size=len(names()),
        ),
        st.sampled_from(sorted(names())),
        st.sets(st.sampled_from(sorted(names()))),
    )
    def test_low_is_never_above_high_and_a_mended_finding_lowers_no_item(self, outcomes, mended, elsewhere):
        before = {id: found(id, outcome) for id, outcome in outcomes.items()}
        after = {**before, mended: found(mended)}
        for _, each in ALL_CHECKS:
            old, new = (
                item_of(each, Seen(findings=given, elsewhere=frozenset(elsewhere)))
                for given in (before, after)
            )
            assert 0.0 <= old.points.low <= old.points.high <= 1.0
            if outcomes[mended] is not Outcome.NOT_APPLICABLE:
                assert new.points.low >= old.points.low
                assert new.points.high >= old.points.high


class TestLevels:
    def test_all_shown_is_the_highest_level(self):
        level = view("google", findings())
        assert (level.verdict, level.points) == (
            "level 2: CI/CD pipeline automation",
            Interval(low=2.0, high=2.0),
        )
        assert (level.next_level, level.blocking) == ("", ())

    def test_no_pipeline_is_a_manual_process_and_names_what_blocks(self):
        level = view("google", findings(pipeline__defined=Outcome.FALSE))
        assert level.verdict == "level 0: manual process"
        assert level.next_level == "level 1: ML pipeline automation"
        assert level.blocking == ("pipeline.defined",)

    def test_a_higher_level_does_not_make_up_for_a_lower_one(self):
        assert view("google", findings(release__automated=Outcome.FALSE)).points.high == 0.0

    def test_what_nobody_could_tell_makes_a_span(self):
        level = view(
            "google", findings(model__registered=Outcome.NOT_AVAILABLE, ci__runs_tests=Outcome.FALSE)
        )
        assert level.verdict == "level 0 to 1: manual process to ML pipeline automation"
        assert level.blocking == ("model.registered",)

    def test_not_seen_here_is_open(self):
        given = findings(release__automated=Outcome.FALSE)
        assert view("google", given, elsewhere=frozenset({"release.automated"})).points == Interval(
            low=0, high=2
        )

    def test_records_show_what_files_do_not(self):
        given = [
            *findings(pipeline__scheduled=Outcome.FALSE, pipeline__triggered_by_data=Outcome.FALSE),
            found("running.runs_scheduled"),
        ]
        assert view("google", given).points.low == 2.0

    def test_people_open_the_levels_of_microsoft(self):
        unasked = view("microsoft", findings())
        assert unasked.verdict.startswith("level 1 to 4")
        assert unasked.blocking == ("microsoft.people.2",)
        answered = [found(id) for id in QUESTIONS if id.startswith("microsoft.")]
        assert view("microsoft", findings() + answered).points == Interval(low=4.0, high=4.0)

    def test_a_level_none_of_whose_items_arises_is_not_reached(self):
        level_one = {name for each in RUBRICS[1].chapters[0].checks for name in each.names}
        given = findings(**{name.replace(".", "__"): Outcome.NOT_APPLICABLE for name in level_one})
        assert view("google", given).points.high == 0.0


class TestWhatDoesNotApply:
    @pytest.mark.parametrize("rubric", [each.id for each in RUBRICS if each.id != "review"])
    def test_a_library_gets_no_false_zero(self, rubric):
        score = view(rubric, findings(Outcome.FALSE), replace(BOTH, kind=RepositoryKind.LIBRARY))
        assert score.verdict == "does not apply: this is for others to install"
        assert (score.points, score.sections, score.blocking, score.next_level) == (None, (), (), "")

    def test_neither_does_what_is_no_machine_learning(self):
        nothing = Profile(
            kind=RepositoryKind.OTHER, trains=False, serves=False, frameworks=(), tools=(), reasons=()
        )
        assert (
            view("ml-test-score", [], nothing).verdict
            == "does not apply: nothing here trains or serves a model"
        )

    def test_a_service_without_training_has_no_level_of_training(self):
        serves = replace(BOTH, trains=False)
        assert view("google", findings(), serves).verdict == "does not apply: nothing here trains a model"
        assert view("ml-test-score", findings(), serves).points is not None

    def test_a_review_reads_any_repository(self):
        assert view("review", findings(), replace(BOTH, kind=RepositoryKind.LIBRARY)).points is not None

    def test_where_nothing_arises_nothing_is_counted(self):
        score = view("ml-test-score", findings(Outcome.NOT_APPLICABLE))
        assert (score.points, score.verdict) == (None, "does not apply: none of its questions arises here")

    def test_a_system_that_people_say_is_not_high_risk_has_no_such_duties(self):
        said = replace(found("ai-act.high_risk", Outcome.FALSE), evidence="Ada answered no on 2026-11-01")
        assert view("ai-act", [*findings(), said]).verdict == "does not apply: Ada answered no on 2026-11-01"
        assert view("ai-act", findings()).points is not None


class TestListsAndShares:
    def test_a_card_counts_its_sections(self):
        parts = {part: part in ("details", "metrics") for part in CARD_SECTIONS}
        given = findings(model__card_complete=found("model.card_complete", Outcome.FALSE, **parts))
        card = view("model-card", given)
        assert card.verdict == "2 of 9 shown"
        assert items_of(card)["metrics"].points.low == 1.0
        assert card.blocking == ("model.card_complete",)

    def test_without_a_card_none_of_them_is_there(self):
        given = findings(
            model__card=Outcome.FALSE,
            model__card_complete=found(
                "model.card_complete", Outcome.NOT_APPLICABLE, blocked_by="model.card"
            ),
        )
        card = view("model-card", given)
        assert (card.verdict, card.blocking) == ("0 of 9 shown", ("model.card",))

    def test_a_card_whose_sections_nobody_could_tell_is_open(self):
        assert view("model-card", findings(model__card_complete=Outcome.FALSE)).verdict == "0 to 9 of 9 shown"

    def test_each_principle_weighs_the_same(self):
        whole = view("principles", findings())
        assert whole.verdict == "9 of 9 principles shown"
        one_of_four = view("principles", findings(release__automated=Outcome.FALSE))
        assert one_of_four.points == Interval(low=8.75, high=8.75)
        assert one_of_four.next_level == "the weakest first: P1 CI/CD automation"
        assert one_of_four.blocking == ("release.automated",)

    def test_the_dates_of_the_act_are_data_with_a_source(self):
        note = view("ai-act", findings()).note
        assert note.startswith("Not legal advice.")
        for day in (date(2027, 12, 2), date(2028, 8, 2), date(2026, 11, 23)):
            assert str(day) in note
        assert "source: Digital Omnibus" in dates()


class TestTheData:
    def test_every_probe_that_a_rubric_names_exists(self):
        known = {probe.id for probe in own_probes()}
        assert sorted(names() - known) == []

    def test_every_stable_probe_is_read_by_a_rubric_or_is_written_down(self):
        stable = {probe.id for probe in own_probes() if probe.lifecycle is Lifecycle.STABLE}
        assert sorted(stable - names() - set(IN_NO_RUBRIC)) == []

    def test_exceptions_are_needed(self):
        assert sorted(set(IN_NO_RUBRIC) & names()) == []

    def test_ids_are_unique(self):
        rubrics = [rubric.id for rubric in RUBRICS]
        assert len(set(rubrics)) == len(rubrics)
        pairs = [(rubric.id, each.id) for rubric, each in ALL_CHECKS]
        assert len(set(pairs)) == len(pairs)

    def test_an_item_says_what_would_raise_it(self):
        assert [each.id for _, each in ALL_CHECKS if not each.next_step or not each.evidence] == []
        assert [each.id for rubric, each in ALL_CHECKS if rubric is ML_TEST_SCORE and not each.then] == []

    def test_the_order_of_findings_changes_nothing(self):
        given = findings(model__registered=Outcome.NOT_AVAILABLE)
        assert views(given, BOTH) == views(reversed(given), BOTH)
