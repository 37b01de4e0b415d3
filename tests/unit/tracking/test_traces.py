"""Traces: whichever of spans and report comes first, what comes back is what was sent; sums, states, deletion."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.traces import (
    ARTIFACT_TAG,
    NAME_TAG,
    SPANS_HERE,
    SPANS_TAG,
    Assessment,
    AssessmentChange,
    AssessmentKind,
    Span,
    SpanEvent,
    SpanLink,
    SpanStatus,
    TraceInfo,
    TraceState,
)
from mlwright.platform.tracking.traces import TraceJourney
from mlwright.stages.tracking.spans import from_text, gather, to_text

MS = 1_000_000
ID = "tr-" + "ab" * 16
OTHER = "tr-" + "cd" * 16


def span(number=1, *, trace=ID, parent=None, start=10, end=20, status=SpanStatus.OK, **attributes) -> Span:
    return Span(
        trace=trace,
        id=f"{number:016x}",
        parent=None if parent is None else f"{parent:016x}",
        name=f"step {number}",
        status=status,
        message="",
        started_ns=start * MS,
        ended_ns=None if end is None else end * MS,
        attributes={"mlflow.traceRequestId": trace, **attributes},
    )


def info(**given) -> TraceInfo:
    return TraceInfo(
        **{
            "id": ID,
            "experiment_id": "0",
            "state": TraceState.OK,
            "started_ms": 9,
            "duration_ms": 100,
            "tags": {NAME_TAG: "agent", "team": "x"},
            "metadata": {"mlflow.trace.sizeStats": '{"num_spans": 2}'},
            **given,
        }
    )


SPANS = [span(2, parent=1, start=12, end=15), span(1)]


@pytest.mark.parametrize("reported_first", [True, False])
def test_the_report_and_the_spans_may_come_in_either_order(tracking, reported_first):
    steps = [lambda: tracking.traces.report(info())]
    steps += [lambda each=each: tracking.traces.receive("0", [each]) for each in SPANS]
    for step in steps if reported_first else [*steps[1:], steps[0]]:
        step()
    found = tracking.traces.find(ID)
    assert found.spans == (SPANS[1], SPANS[0])
    assert (found.info.state, found.info.started_ms, found.info.duration_ms) == (TraceState.OK, 9, 100)
    assert found.info.tags == {
        NAME_TAG: "agent",
        "team": "x",
        SPANS_TAG: SPANS_HERE,
        ARTIFACT_TAG: f"mlflow-artifacts:/0/traces/{ID}/artifacts",
    }
    assert tracking.traces.whole([OTHER, ID]) == (found,)
    assert tracking.traces.infos([ID], ["1"]) == ()


def test_a_trace_that_nobody_reports_is_what_its_spans_say(tracking):
    tokens = {"input_tokens": 2, "output_tokens": 1}
    inner = span(3, parent=2, start=5, end=7, **{"mlflow.chat.tokenUsage": tokens})
    outer = span(2, parent=1, start=4, end=8, **{"mlflow.chat.tokenUsage": tokens, "session.id": "s"})
    beside = span(4, parent=1, start=3, end=30, **{"mlflow.chat.tokenUsage": tokens})
    root = span(1, start=2, end=9, status=SpanStatus.ERROR, **{"mlflow.spanInputs": {"q": "ü"}})
    for each in (inner, outer, beside):
        tracking.traces.receive("0", [each], tags={ID: {"service.name": "shop"}})
        assert tracking.traces.find_info(ID).state is TraceState.IN_PROGRESS
    tracking.traces.receive("0", [root])
    found = tracking.traces.find_info(ID)
    assert (found.state, found.started_ms, found.duration_ms) == (TraceState.ERROR, 2, 28)
    assert found.request_preview == '{"q": "ü"}'
    assert found.tags["service.name"] == "shop"
    assert found.metadata["mlflow.trace.session"] == "s"
    # The outer span speaks for the inner one.
    assert found.metadata["mlflow.trace.tokenUsage"] == '{"input_tokens": 4, "output_tokens": 2}'


def test_what_a_client_says_of_a_trace_outlasts_its_late_spans(tracking):
    tracking.traces.report(info(metadata={"mlflow.trace.tokenUsage": '{"input_tokens": 7}'}))
    tracking.traces.receive(
        "0", [span(1, start=1, end=900, **{"mlflow.chat.tokenUsage": {"input_tokens": 1}})]
    )
    found = tracking.traces.find_info(ID)
    assert (found.started_ms, found.duration_ms) == (9, 100)
    assert found.metadata["mlflow.trace.tokenUsage"] == '{"input_tokens": 7}'


def test_a_trace_whose_spans_are_on_their_way_is_waited_for(tracking):
    tracking.traces.report(info())
    tracking.traces.receive("0", SPANS[:1])
    assert tracking.traces.whole([ID]) == ()
    assert len(tracking.traces.find(ID, partial=True).spans) == 1
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            tracking.traces.receive("0", SPANS[1:])

    assert len(TraceJourney(tracking.book, pause=pause).find(ID).spans) == 2
    assert len(pauses) == 2
    with pytest.raises(NotFound, match="not found"):
        tracking.traces.find(OTHER)


def test_spans_that_never_come_are_an_error_that_says_so(tracking):
    tracking.traces.report(info())
    tracking.traces.receive("0", SPANS[:1])
    with pytest.raises(NotFound, match="not fully exported"):
        TraceJourney(tracking.book, pause=lambda seconds: None).find(ID)


def test_spans_that_a_client_kept_among_the_artifacts_are_found(tracking):
    tracking.traces.report(info(metadata={}))
    text = f'{{"spans": [{", ".join(map(to_text, SPANS))}]}}'
    tracking.artifacts.put_bytes(f"0/traces/{ID}/artifacts/traces.json", text.encode())
    assert tracking.traces.find(ID).spans == (SPANS[1], SPANS[0])
    assert b"step 2" in tracking.traces.file(ID)


def test_an_older_client_begins_and_ends_a_trace(tracking):
    tracking.traces.report(info(state=TraceState.IN_PROGRESS, duration_ms=None, tags={"a": "1"}))
    tracking.traces.end(ID, at_ms=50, state=TraceState.ERROR, metadata={"m": "n"}, tags={"a": "2", "b": "3"})
    found = tracking.traces.find_info(ID)
    assert (found.state, found.duration_ms, found.metadata["m"]) == (TraceState.ERROR, 41, "n")
    assert (found.tags["a"], found.tags["b"]) == ("2", "3")


def test_unknown_and_deleted_experiments_take_no_traces(tracking):
    with pytest.raises(NotFound):
        tracking.traces.report(info(experiment_id="77"))
    gone = tracking.experiments.create("gone")
    tracking.experiments.delete(gone)
    with pytest.raises(UsageError, match="deleted"):
        tracking.traces.receive(gone, SPANS)
    assert tracking.traces.infos([ID]) == ()


def test_tags_are_set_and_removed_but_not_those_of_ours(tracking):
    tracking.traces.report(info())
    tracking.annotations.set_tag(ID, NAME_TAG, "renamed")
    tracking.annotations.set_tag(ID, "team", "y")
    tracking.annotations.remove_tag(ID, "team")
    assert tracking.traces.find_info(ID).tags[NAME_TAG] == "renamed"
    tracking.annotations.remove_tag(ID, NAME_TAG)
    assert tracking.traces.find_info(ID).tags.keys() == {ARTIFACT_TAG}
    for key in ("team", NAME_TAG):
        with pytest.raises(NotFound, match="No trace tag"):
            tracking.annotations.remove_tag(ID, key)
    for key in (SPANS_TAG, ""):
        with pytest.raises(UsageError):
            tracking.annotations.set_tag(ID, key, "x")


def test_deleting_takes_the_oldest_first_and_all_that_hangs_on_them(tracking):
    for number, trace in enumerate((OTHER, ID)):
        tracking.traces.receive("0", [span(trace=trace, start=number + 1)])
        tracking.annotations.assess(judgement(trace=trace))
        tracking.annotations.link_prompts(trace, [("p", "1"), ("p", "1")])
    assert tracking.traces.delete("0", until_ms=10, most=1) == 1
    assert [each.id for each in tracking.traces.infos([ID, OTHER])] == [ID]
    assert tracking.traces.delete("0", ids=[ID, OTHER]) == 1
    for which in ({}, {"until_ms": 1, "ids": [ID]}, {"until_ms": 1, "most": 0}, {"ids": [ID], "most": 1}):
        with pytest.raises(UsageError):
            tracking.traces.delete("0", **which)


def judgement(**given) -> Assessment:
    return Assessment(
        **{
            "id": "",
            "trace": ID,
            "name": "good",
            "kind": AssessmentKind.FEEDBACK,
            "value": 0.9,
            "source_type": "HUMAN",
            "source_id": "ada",
            "created_ms": 0,
            "updated_ms": 0,
            **given,
        }
    )


def test_an_assessment_that_is_overridden_is_valid_again_when_the_other_goes(tracking):
    tracking.traces.report(info())
    first = tracking.annotations.assess(judgement())
    second = tracking.annotations.assess(judgement(value=0.1, overrides=first.id))
    assert first.created_ms == tracking.book.now_ms()
    assert not tracking.annotations.find_assessment(ID, first.id).valid
    assert {each.id for each in tracking.traces.find_info(ID).assessments} == {first.id, second.id}
    tracking.annotations.delete_assessment(ID, second.id)
    tracking.annotations.delete_assessment(ID, second.id)
    assert tracking.annotations.find_assessment(ID, first.id) == first
    with pytest.raises(NotFound, match="not found for trace"):
        tracking.annotations.assess(judgement(overrides="a-none"))
    with pytest.raises(NotFound, match="Trace with ID"):
        tracking.annotations.delete_assessment(OTHER, first.id)


def test_a_change_keeps_what_it_does_not_name_and_adds_metadata(tracking):
    tracking.traces.report(info(assessments=(judgement(id="a-1", metadata={"a": "b"}, rationale="why"),)))
    tracking.traces.report(info(assessments=(judgement(id="a-1", value=0),)))
    change = AssessmentChange(metadata={"c": "d"}, judgement=judgement(value=[1, {"x": None}]))
    changed = tracking.annotations.change_assessment(ID, "a-1", change)
    assert (changed.value, changed.rationale, changed.metadata) == (
        [1, {"x": None}],
        "why",
        {"a": "b", "c": "d"},
    )
    assert tracking.annotations.find_assessment(ID, "a-1") == changed
    other = AssessmentChange(judgement=judgement(kind=AssessmentKind.EXPECTATION))
    with pytest.raises(UsageError, match="expectation"):
        tracking.annotations.change_assessment(ID, "a-1", other)


def test_links_to_runs_are_kept_once_and_need_the_run(tracking):
    tracking.traces.report(info())
    with pytest.raises(NotFound):
        tracking.annotations.link_to_run([ID], RunId("0" * 32))
    with pytest.raises(UsageError, match="100"):
        tracking.annotations.link_to_run([ID] * 101, RunId("0" * 32))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
attributes = st.dictionaries(st.text(max_size=4), values, max_size=3)
ids = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")


@given(
    st.builds(
        Span,
        trace=st.just(ID),
        id=ids,
        parent=st.none() | ids,
        name=st.text(max_size=5),
        status=st.sampled_from(SpanStatus),
        message=st.text(max_size=5),
        started_ns=st.integers(0, 2**63 - 1),
        ended_ns=st.none() | st.integers(1, 2**63 - 1),
        attributes=attributes.map(lambda given: given | {"mlflow.traceRequestId": ID}),
        events=st.lists(
            st.builds(SpanEvent, name=st.text(max_size=3), at_ns=st.integers(0, 9), attributes=attributes),
            max_size=2,
        ).map(tuple),
        links=st.lists(
            st.builds(SpanLink, trace=st.just(OTHER), span=ids, attributes=attributes), max_size=2
        ).map(tuple),
    )
)
def test_a_span_survives_being_text(made):
    assert from_text(ID, to_text(made)) == made


def test_numbers_that_json_lacks_survive_in_attributes():
    kept = from_text(ID, to_text(span(x=[math.nan, math.inf, -math.inf]))).attributes["x"]
    assert math.isnan(kept[0])
    assert kept[1:] == [math.inf, -math.inf]


def test_a_circle_of_parents_is_summed_up_once():
    around = [span(1, parent=2, **{"mlflow.llm.cost": {"total_cost": 1.5}}), span(2, parent=1)]
    assert gather(around).metadata == {"mlflow.trace.cost": '{"total_cost": 1.5}'}
