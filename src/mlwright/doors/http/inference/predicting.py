"""The hot path of one endpoint under one protocol: parse, submit, encode, reply; and the same, told of as a span."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias

from mlwright.doors.http.inference.exchange import Handler, Reply, Request, Response
from mlwright.doors.http.inference.parsing import Parse
from mlwright.doors.http.inference.rendering import Complaints, status_of
from mlwright.errors import MlwrightError
from mlwright.ports.spans import RequestSpan, Spans
from mlwright.stages.serving.asks import Answer, Ask, Outcome
from mlwright.stages.serving.core import EndpointCore

Submit: TypeAlias = Callable[[Ask, Callable[[Outcome], None]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a request for predictions passes."""

    core: EndpointCore
    pattern: str
    """The path, with names in braces for what differs."""
    parse: Parse
    submit: Submit
    refuse: Callable[[MlwrightError, int], Response]
    complaints: Complaints
    check: Callable[[], object] | None = None
    """Whether the version that the path names may be asked; raises MlwrightError where not."""


def answering(way: Way, spans: Spans | None) -> Handler:
    """What answers the requests; with ``spans`` it tells of each once its answer was handed over."""
    return _plain(way) if spans is None else _told(way, spans)


def _plain(way: Way) -> Handler:
    core, parse, submit, refuse, check = way.core, way.parse, way.submit, way.refuse, way.check
    complaints, failed = way.complaints, core.counters.failed

    def predict(request: Request, reply: Reply) -> None:
        try:
            if check is not None:
                check()
            ask, encode = parse(request, core.form)
        except MlwrightError as error:
            failed(error.code)
            reply(refuse(error, status_of(error)))
            return

        def give(outcome: Outcome) -> None:
            if isinstance(outcome, Answer):
                try:
                    response = encode(outcome)
                except Exception as error:  # noqa: BLE001 - the client gets an answer, whatever it is
                    response = complaints.answer(error, f"writing the answer of {request.path}")
                reply(response)
            else:
                reply(refuse(outcome, status_of(outcome)))

        submit(ask, give)

    return predict


def _told(way: Way, spans: Spans) -> Handler:
    """The same, with a span of each request once its answer was handed over."""
    core, parse, refuse, complaints = way.core, way.parse, way.refuse, way.complaints

    def predict(request: Request, reply: Reply) -> None:
        def end(response: Response, outcome: Outcome, ask: Ask | None) -> None:
            reply(response)
            spans.request(_span(way, request, response.status, outcome, ask))

        try:
            if way.check is not None:
                way.check()
            ask, encode = parse(request, core.form)
        except MlwrightError as error:
            core.counters.failed(error.code)
            end(refuse(error, status_of(error)), error, None)
            return

        def give(outcome: Outcome) -> None:
            if isinstance(outcome, Answer):
                try:
                    response = encode(outcome)
                except Exception as error:  # noqa: BLE001 - the client gets an answer, whatever it is
                    response = complaints.answer(error, f"writing the answer of {request.path}")
            else:
                response = refuse(outcome, status_of(outcome))
            end(response, outcome, ask)

        way.submit(ask, give)

    return predict


def _span(way: Way, request: Request, status: int, outcome: Outcome, ask: Ask | None) -> RequestSpan:
    header = request.headers.get
    answer = outcome if isinstance(outcome, Answer) else None
    return RequestSpan(
        way.core.spec.name,
        way.pattern,
        request.path,
        request.client,
        header("traceparent", ""),
        header("tracestate", ""),
        header("user-agent", ""),
        header("host", ""),
        request.received,
        monotonic(),
        status,
        outcome.code if isinstance(outcome, MlwrightError) else "",
        ask.id if ask is not None else "",
        ask.rows if ask is not None else 0,
        answer.versions if answer is not None else (),
        (answer.degraded or "") if answer is not None else "",
    )
