"""What a language model may say: a gauntlet of honest and of lying sentences."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.engineer.asking.citations import check, fault_of
from mlwright.engineer.asking.exhibits import Exhibit, exhibits_of, record
from mlwright.model.assessment import Assessment, Interval, Profile, RepositoryKind, RubricView
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome


def finding(id: str, title: str, outcome: Outcome, evidence: str, **values: object) -> Finding:
    at = (Location(path="requirements.txt", line=31),) if id == "dependencies.locked" else ()
    return Finding(
        id=id,
        title=title,
        outcome=outcome,
        evidence=evidence,
        locations=at,
        values=values,
        severity=Severity.ERROR,
    )


ASSESSMENT = Assessment(
    subject="churn",
    profile=Profile(
        kind=RepositoryKind.APPLICATION,
        trains=True,
        serves=True,
        frameworks=("sklearn",),
        tools=(),
        reasons=(),
    ),
    readiness=Interval(low=41.2, high=55.0),
    findings=(
        finding(
            "data.contract_covers",
            "The contract covers the features",
            Outcome.TRUE,
            "38 of 40 columns",
            share=0.95,
        ),
        finding(
            "dependencies.locked",
            "Dependencies are locked with hashes",
            Outcome.FALSE,
            "12 requirements, none with a hash",
        ),
        finding(
            "model.pickles_clean", "Pickles import nothing dangerous", Outcome.TRUE, "2 pickles were scanned"
        ),
        finding("monitoring.alerts", "Alert rules exist", Outcome.FALSE, "no alert rule was found"),
        finding(
            "monitoring.drift",
            "Drift of inputs is watched",
            Outcome.NOT_AVAILABLE,
            "no configuration was read",
        ),
        finding(
            "serving.model_loaded_once",
            "The model is not loaded inside the request handler",
            Outcome.TRUE,
            "joblib.load at module level",
        ),
        finding("tests.exist", "There are tests with asserts", Outcome.TRUE, "14 tests with 31 asserts"),
    ),
    rubrics=(
        RubricView(
            id="ml-test-score",
            title="ML Test Score",
            source="",
            verdict="0 to 1",
            points=Interval(low=0.5, high=1.0),
            out_of=28,
            sections=(),
            next_level="",
            blocking=(),
        ),
    ),
    recommendations=(),
    files=57,
)
BOOK: dict[str, Exhibit] = {
    **exhibits_of(ASSESSMENT),
    "performance:delay": record(
        "performance:delay", "auc by month: Apr 2013 0.712 [0.700, 0.724], May 2013 0.661"
    ),
    "rollout:r1": record(
        "rollout:r1", "rollout of delay/3 against /2: rolled_back, verdict ROLLBACK (loss is higher)"
    ),
}

HONEST = [
    "Start with a gate.",
    "Which cloud do you run on?",
    "How long does it take until the truth about a prediction is known?",
    "None of the 12 requirements has a hash [dependencies.locked].",
    "The dependencies are not locked [dependencies.locked].",
    "Dependencies aren't locked with hashes [dependencies.locked].",
    "The dependencies are unlocked [dependencies.locked].",
    "No alert rules exist [monitoring.alerts].",
    "Alert rules are missing [monitoring.alerts].",
    "There are 14 tests [tests.exist].",
    "There are 14 tests [tests.exist], but no alert rules exist [monitoring.alerts].",
    "The contract covers 38 of 40 columns [data.contract_covers].",
    "The contract covers 95% of the columns [data.contract_covers].",
    "That is a share of 0.95 [data.contract_covers].",
    "Whether drift is watched is unknown [monitoring.drift].",
    "It cannot be told whether drift of inputs is watched [monitoring.drift].",
    "Readiness is between 41.2 and 55 [readiness].",
    "Readiness is 41.2–55.0 of 100 [readiness].",
    "The ML Test Score is 0.5 to 1 of 28 [rubric:ml-test-score].",
    "AUC fell from 0.71 to 0.66 [performance:delay].",
    "AUC was 0.712 in April and 0.661 in May [performance:delay].",
    "The verdict was rollback [rollout:r1].",
    "Pin them in requirements.txt:31 [dependencies.locked].",
    "See line 31 [dependencies.locked].",
    "You should lock the dependencies so that a build can be repeated [dependencies.locked].",
    "Lock the dependencies first [dependencies.locked].",
    "Item I1 of the ML Test Score asks for it.",
    "The p99 latency is yours to choose.",
    "This one is the most valuable step.",
    "The model is not loaded inside the request handler [serving.model_loaded_once].",
    "Two pickles were scanned [model.pickles_clean].",
    "Fifty-seven files were read [profile].",
]

LIES = {
    # numbers
    "The AUC is 0.99.": "cites nothing",
    "Your model loses 12% of its accuracy.": "cites nothing",
    "Half of the tests are worthless [tests.exist].": "not in the evidence",
    "There are 15 tests [tests.exist].": "not in the evidence",
    "There are fifteen tests [tests.exist].": "not in the evidence",
    "There are 31 tests [dependencies.locked].": "not in the evidence",
    "12% of the requirements have no hash [dependencies.locked].": "not in the evidence",
    "The contract covers 97% of the columns [data.contract_covers].": "not in the evidence",
    "The contract covers 0.97 of the columns [data.contract_covers].": "not in the evidence",
    "AUC fell from 0.71 to 0.60 [performance:delay].": "not in the evidence",
    "Readiness is 87 [readiness].": "not in the evidence",
    "Readiness is 41.3 [readiness].": "not in the evidence",
    "AUC=0.99 [tests.exist].": "not in the evidence",
    "AUC0.99 is what you have [tests.exist].": "not in the evidence",
    "It is ten times faster [tests.exist].": "not in the evidence",
    "Dozens of tests are there [tests.exist].": "not in the evidence",
    "It costs $724 a month.": "cites nothing",
    "Accuracy will double.": "cites nothing",
    "There are 14 tests [tests.exist] and 900 users.": "not in the evidence",
    "½ of it is done.": "cites nothing",
    "There are 14 files [readiness].": "not in the evidence",
    # ids
    "Nothing is encrypted [security.encryption].": "does not exist",
    "All is well [made.up, tests.exist].": "does not exist",
    "Run r9 was better [run:r9].": "does not exist",
    # verdicts without evidence
    "The project is production-ready.": "cites nothing",
    "It is secure.": "cites nothing",
    "The build fails.": "cites nothing",
    "Promote the challenger now.": "cites nothing",
    "Roll back at once.": "cites nothing",
    "Everything is compliant.": "cites nothing",
    "There is a runbook.": "cites nothing",
    "Your repository uses Airflow.": "cites nothing",
    "Dependencies are locked with hashes.": "does not cite it",
    "Drift of inputs is watched.": "does not cite it",
    "Did you know that dependencies are locked with hashes?": "does not cite it",
    # verdicts turned round
    "The dependencies are locked with hashes [dependencies.locked].": "does not hold",
    "Dependencies are locked [dependencies.locked].": "does not hold",
    "You should know that dependencies are locked [dependencies.locked].": "does not hold",
    "You should relax, dependencies are locked [dependencies.locked].": "does not hold",
    "Note: dependencies are locked with hashes [dependencies.locked].": "does not hold",
    "If anything, dependencies are locked [dependencies.locked].": "does not hold",
    "Nobody can say that dependencies are not locked [dependencies.locked].": "does not hold",
    "This check passes [dependencies.locked].": "does not hold",
    "Alert rules exist [monitoring.alerts].": "does not hold",
    "All alerts are fine [monitoring.alerts].": "does not hold",
    "There are no tests with asserts [tests.exist].": "holds, and",
    "Tests are missing [tests.exist].": "holds, and",
    "The contract does not cover the features [data.contract_covers].": "holds, and",
    "The model is loaded inside the request handler [serving.model_loaded_once].": "holds, and",
    "Whether tests exist is unknown [tests.exist].": "holds, and",
    "Whether dependencies are locked is unknown [dependencies.locked].": "does not hold",
    # unknown decided
    "Drift of inputs is watched [monitoring.drift].": "neither",
    "Drift of inputs is not watched [monitoring.drift].": "neither",
    "Drift monitoring is fine [monitoring.drift].": "neither",
    "Drift monitoring is missing [monitoring.drift].": "neither",
    # more than the evidence says
    "The project is secure [model.pickles_clean].": "no evidence",
    "The tests pass [tests.exist].": "no evidence",
    "It is ready for production [tests.exist].": "no evidence",
    "You are compliant with the AI Act [tests.exist].": "no evidence",
    "Promote it [tests.exist].": "no evidence",
    "Roll back now [tests.exist].": "no evidence",
    "Promote the challenger [rollout:r1].": "no evidence",
    "The endpoint is healthy [performance:delay].": "no evidence",
    # another finding than the one that is cited
    "Dependencies are locked with hashes [tests.exist].": "opposite of dependencies.locked",
    # outside of what was given
    "See https://evil.example/install.sh for more.": "address",
    "Run mlwright autofix to repair it.": "no command",
    "Use mlwright assess --force-green to pass.": "flag",
    "Все проверки пройдены.": "plain English",
    "Das ist alles sicher und die Tests sind gut.": "plain English",
}


@pytest.mark.parametrize("sentence", HONEST)
def test_honest_sentences_are_kept(sentence: str) -> None:
    assert fault_of(sentence, BOOK) is None


@pytest.mark.parametrize(("sentence", "reason"), LIES.items())
def test_lies_are_dropped_for_the_right_reason(sentence: str, reason: str) -> None:
    checked = check(sentence, BOOK)
    assert checked.text == ""
    assert any(reason in each.reason for each in checked.dropped), checked.dropped


def test_the_good_sentences_around_a_lie_stay_and_it_is_counted() -> None:
    text = "Nothing is locked [dependencies.locked]. Readiness is 99 [readiness]. Which cloud do you use?"
    checked = check(text, BOOK)
    assert checked.text == "Nothing is locked [dependencies.locked]. Which cloud do you use?"
    assert [each.sentence for each in checked.dropped] == ["Readiness is 99 [readiness]."]


def test_a_citation_behind_the_full_stop_belongs_to_the_sentence_before() -> None:
    assert check("There are 14 tests. [tests.exist]", BOOK).text == "There are 14 tests. [tests.exist]"
    assert check("There are 15 tests. [tests.exist]", BOOK).text == ""


def test_lists_keep_their_form_and_their_numbers_are_no_claims() -> None:
    text = "1. Lock the dependencies [dependencies.locked].\n2) Readiness is 99.\n* Which cloud?\n## Next"
    assert check(text, BOOK).text == "- Lock the dependencies [dependencies.locked].\n- Which cloud?\nNext"


def test_code_is_left_out() -> None:
    assert check("Do it.\n```\nrm -rf / # 99% secure\n```\nThen look.", BOOK).text == "Do it.\nThen look."


def test_a_flag_that_the_rules_gave_may_be_repeated() -> None:
    sentence = "Run mlwright assess with --html for a page."
    assert fault_of(sentence, BOOK, allowed="mlwright assess . --html report.html") is None
    assert fault_of(sentence, BOOK) is not None


def test_control_characters_and_hidden_ones_are_taken_out() -> None:
    checked = check("Look \x1b[31mhere\x1b[0m\u200b first.", BOOK)
    assert checked.text == "Look here first."
    assert check("se\u200bcure", BOOK).text == ""


def test_full_width_digits_are_digits() -> None:
    assert check("There are ９９ tests [tests.exist].", BOOK).text == ""


@given(st.text(max_size=400))
def test_any_text_is_checked_without_an_error(text: str) -> None:
    check(text, BOOK)


@given(st.integers(0, 10_000))
def test_no_number_but_those_of_the_evidence_gets_through(value: int) -> None:
    kept = fault_of(f"There are {value} tests with asserts [tests.exist].", BOOK) is None
    assert kept == (value in (14, 31))


@given(
    st.sampled_from([each for each in ASSESSMENT.findings if each.outcome is Outcome.FALSE]),
    st.sampled_from(
        ["{}", "Clearly, {}", "{}, which is good", "Note that {}", "{}; no doubt", "As of today {}"]
    ),
)
def test_the_title_of_what_does_not_hold_never_gets_through(broken: Finding, frame: str) -> None:
    title = broken.title[0].lower() + broken.title[1:]
    assert fault_of(f"{frame.format(title)} [{broken.id}].", BOOK) is not None


@pytest.mark.parametrize(
    "text", ["a " * 50_000, "[" * 20_000, "1." * 10_000, "should " * 5_000, "not-" * 8_000, "[a" * 9_000]
)
def test_hostile_length_takes_no_long_time(text: str) -> None:
    started = time.monotonic()
    check(text, BOOK)
    assert time.monotonic() - started < 40  # a guard against growth without bound, not a measurement
