"""Searching traces: every kind of condition, orders, pages, and what a hostile filter cannot do."""

import pytest

from mlwright.errors import Unsupported, UsageError
from mlwright.model.ids import RunId
from mlwright.model.traces import (
    NAME_TAG,
    Assessment,
    AssessmentKind,
    Span,
    SpanStatus,
    TraceInfo,
    TraceState,
)

NAMES = {f"tr-{number:032x}": name for number, name in ((1, "one"), (2, "two"), (3, "three"))}
IDS = {name: id for id, name in NAMES.items()}


@pytest.fixture
def three(tracking):
    """Three traces; the third has no tags, no assessments, and another type of span."""
    run = tracking.runs.create("0").id
    for at, (id, name) in enumerate(NAMES.items(), 1):
        last = name == "three"
        tracking.traces.report(
            TraceInfo(
                id=id,
                experiment_id="0",
                state=TraceState.ERROR if last else TraceState.OK,
                started_ms=1000 * at,
                duration_ms=10 * at,
                client_request=None if last else f"c-{at}",
                tags={} if last else {NAME_TAG: f"Agent {name}", "team": "Blue_1" if at == 1 else "red"},
                metadata={"mlflow.sourceRun": run} if at == 2 else {},
            )
        )
        for number, kind in enumerate(("TOOL" if last else "LLM", "CHAIN"), 1):
            tracking.traces.receive(
                "0",
                [
                    Span(
                        trace=id,
                        id=f"{number:016x}",
                        parent=None,
                        name=f"{kind.lower()} {name}",
                        status=SpanStatus.OK,
                        message="",
                        started_ns=at,
                        ended_ns=at,
                        attributes={
                            "mlflow.spanType": kind,
                            "model": f"m-{at}",
                            "heat": at / 2,
                            "text": "Zürich 100%" if at == 1 else "Paris",
                        },
                    )
                ],
            )
    judge(tracking, "one", "quality", 0.9)
    judge(tracking, "two", "quality", 0.2)
    judge(tracking, "two", "words", "yes")
    judge(tracking, "two", "right", True)
    judge(tracking, "one", "wanted", "Yes", AssessmentKind.EXPECTATION)
    tracking.annotations.link_to_run([IDS["one"]], RunId(run))
    tracking.annotations.link_prompts(IDS["one"], [("greet", "1")])
    return tracking


def judge(tracking, trace, name, value, kind=AssessmentKind.FEEDBACK):
    tracking.annotations.assess(
        Assessment(
            id="",
            trace=IDS[trace],
            name=name,
            kind=kind,
            value=value,
            source_type="CODE",
            source_id="",
            created_ms=1,
            updated_ms=1,
        )
    )


def search(tracking, filter=None, **given):
    page = tracking.traces.search(["0", "12345678901234567890"], filter, **given)
    return [NAMES[each.id] for each in page.items]


FILTERS = {
    "": "three two one",
    "tags.team = 'red'": "two",
    "tags.team != 'red'": "one",
    "tags.team LIKE 'Blue%'": "one",
    "tags.team LIKE 'blue%'": "",
    "tags.team ILIKE 'blue%'": "one",
    "tags.team RLIKE '^B.*1$'": "one",
    "tags.team IS NULL": "three",
    "tags.team IS NOT NULL": "two one",
    "name = 'Agent one'": "one",
    "name IS NULL": "three",
    "trace.status = 'ERROR'": "three",
    "status NOT IN ('ERROR')": "two one",
    "timestamp_ms > 1000 AND timestamp <= 2000": "two",
    "execution_time >= 20": "three two",
    "end_time < 2020": "one",
    "client_request_id = 'c-1'": "one",
    "span.type = 'LLM'": "two one",
    "span.type = 'CHAIN' AND span.name = 'llm one'": "",
    "span.type = 'LLM' AND span.name = 'llm one'": "one",
    "span.name LIKE 'tool%'": "three",
    "span.status = 'OK'": "three two one",
    "span.attributes.model = 'm-2'": "two",
    "span.attributes.model != 'm-2'": "three one",
    "span.attributes.heat = '1.5'": "three",
    "span.attributes.model IN ('m-1', 'm-3')": "three one",
    "span.attributes.text LIKE 'Zür%'": "one",
    "span.attributes.text LIKE '%100%'": "one",
    "span.content LIKE '%Zürich%'": "one",
    "trace.text ILIKE '%PARIS%'": "three two",
    "feedback.quality > 0.5": "one",
    "feedback.quality = '0.2'": "two",
    "feedback.words = 'yes'": "two",
    "feedback.words LIKE 'y%'": "two",
    "feedback.right = 'true'": "two",
    "feedback.quality IS NULL": "three",
    "expectation.wanted IS NOT NULL": "one",
    "expectation.wanted = 'Yes'": "one",
    "prompt = 'greet/1'": "one",
    "prompt = 'greet/2'": "",
    "issue.id = 'i-1'": "",
    f"request_id IN ('{IDS['one']}', 'x')": "one",
    "tags.team = '1''; DROP TABLE tracking_traces; --'": "",
}


def test_filters_find_what_meets_every_condition(three):
    # One database for all of them: making it takes longer than asking.
    assert {each: " ".join(search(three, each)) for each in FILTERS} == FILTERS


def test_a_run_has_the_traces_made_in_it_and_those_linked_to_it(three):
    run = three.traces.find_info(IDS["two"]).metadata["mlflow.sourceRun"]
    assert search(three, f"run_id = '{run}'") == ["two", "one"]
    assert search(three, f"metadata.`mlflow.sourceRun` LIKE '{run[:5]}%'") == ["two"]


def test_an_assessment_that_was_overridden_is_not_searched(three):
    first = next(each for each in three.traces.find_info(IDS["one"]).assessments if each.name == "quality")
    three.annotations.assess(
        Assessment(
            id="",
            trace=IDS["one"],
            name="quality",
            kind=AssessmentKind.FEEDBACK,
            value=0.1,
            source_type="HUMAN",
            source_id="ada",
            created_ms=2,
            updated_ms=2,
            overrides=first.id,
        )
    )
    assert search(three, "feedback.quality > 0.5") == []


ORDERS = (
    (["timestamp_ms ASC"], "one two three"),
    (["execution_time DESC"], "three two one"),
    (["name DESC"], "two one three"),
    (["tags.team"], "one two three"),
    (["status", "timestamp_ms ASC"], "three one two"),
    (["run_id"], "two three one"),
)


def test_an_order_puts_what_lacks_the_key_last(three):
    assert [(each, " ".join(search(three, order_by=each))) for each, _ in ORDERS] == list(ORDERS)


def test_pages_go_on_where_the_last_one_ended(three):
    first = three.traces.search(["0"], most=2)
    second = three.traces.search(["0"], most=2, token=first.token)
    assert [NAMES[each.id] for each in (*first.items, *second.items)] == ["three", "two", "one"]
    assert second.token is None
    assert three.traces.search(["0"], most=3).token is None


TOKENS = ["x", "e30=", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAiMSJ9", "eyJvZmZzZXQiOiAxZTk5fQ=="]
PATTERNS = ["(a+)+$", "(", "a*b*c*d", r"(?:x)", r"(a)\1", "a" * 501, "(a|aa){2}", "[a-z", "x{1}{2}{3}"]


def test_a_token_of_nobody_is_refused(tracking):
    for token in TOKENS:
        with pytest.raises(UsageError, match="token"):
            tracking.traces.search(["0"], token=token)


def test_a_regular_expression_that_could_take_for_ever_is_refused(tracking):
    for pattern in PATTERNS:
        with pytest.raises(UsageError):
            search(tracking, f"name RLIKE '{pattern}'")


def test_what_cannot_be_searched_is_said(three):
    with pytest.raises(Unsupported, match="RLIKE"):
        search(three, "span.attributes.model RLIKE 'm'")
    with pytest.raises(UsageError, match="prompt"):
        search(three, "prompt = 'greet'")
