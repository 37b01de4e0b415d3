"""Traces: what a client recorded of its calls, received span by span, read back, searched and deleted."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.traces import (
    ARTIFACT_TAG,
    Span,
    Trace,
    TraceInfo,
    TraceState,
)
from mlwright.model.tracking import Page
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import ARTIFACT_SCHEME, Book
from mlwright.stages.tracking import trace_links, traces
from mlwright.stages.tracking.spans import from_content, in_order, to_text
from mlwright.stages.tracking.traces_search import search_traces

SPANS_FILE: Final = "traces.json"
"""Where a client keeps the spans of a trace among its artifacts when a server cannot take them."""

_FAR: Final = 2**63 - 1
"""A duration that no clock measured still fits into its column."""

_LARGEST: Final = 256 << 20
"""Bytes of such a file, at most: it is read whole."""

_SIZES: Final = "mlflow.trace.sizeStats"
_PAUSES: Final = (0.1, 0.3, 0.6)
"""Seconds. A client that sends in the background says how many spans a trace has before the last one has come."""


class TraceJourney:
    """Traces: what a client recorded of its calls."""

    def __init__(self, book: Book, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._book = book
        self._artifacts = ArtifactJourney(book)
        self._pause = pause

    def report(self, info: TraceInfo) -> TraceInfo:
        """Record what a client says of a trace, before or after its spans, and return it as it is then.

        Raises:
            NotFound: there is no such experiment.
            UsageError: the experiment is deleted, or a tag cannot be one.
        """
        with self._book.write() as tx:
            traces.report_trace(tx, info)
            return traces.read_traces(tx, [info.id])[0]

    def end(
        self,
        id: str,
        *,
        at_ms: int,
        state: TraceState,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> TraceInfo:
        """End a trace that was reported at its beginning, as clients before MLflow 3 do; metadata and tags are added.

        Raises:
            NotFound: there is no such trace.
            UsageError: a tag cannot be one.
        """
        with self._book.write() as tx:
            begun = _one(traces.read_traces(tx, [id]), id)
            ended = replace(
                begun,
                state=state,
                duration_ms=max(-_FAR, min(_FAR, at_ms - begun.started_ms)),
                metadata={**begun.metadata, **metadata},
                tags={**begun.tags, **tags},
                assessments=(),
            )
            traces.report_trace(tx, ended)
            return traces.read_traces(tx, [id])[0]

    def receive(
        self,
        experiment_id: str,
        spans: Sequence[Span],
        *,
        tags: Mapping[str, Mapping[str, str]] | None = None,
        run: RunId | None = None,
    ) -> None:
        """Keep spans, of one trace or of several.

        Args:
            experiment_id: where traces go that are new.
            spans: the spans; one that is known is replaced.
            tags: tags of traces by the trace's id.
            run: a run to which those traces belong whose root span is among them.

        Raises:
            NotFound: there is no such experiment, or no such run.
            UsageError: the experiment is deleted.
        """
        if not spans:
            return
        with self._book.write() as tx:
            traces.receive_spans(tx, experiment_id, spans, tags or {})
            if run is not None:
                ended = {each.trace for each in spans if each.parent is None}
                trace_links.link_to_run(tx, sorted(ended), run)

    def find_info(self, id: str) -> TraceInfo:
        """A trace without its spans.

        Raises:
            NotFound: there is no such trace.
        """
        with self._book.read() as tx:
            return _one(traces.read_traces(tx, [id]), id)

    def find(self, id: str, *, partial: bool = False) -> Trace:
        """A trace with its spans. One whose spans are still on their way is waited for, some seconds.

        Args:
            id: the trace.
            partial: take it with those spans that have come.

        Raises:
            NotFound: there is no such trace, or its spans have not come.
        """
        for pause in (*_PAUSES, None):
            with self._book.read() as tx:
                info = _one(traces.read_traces(tx, [id]), id)
                spans = traces.read_spans(tx, [id]).get(id, ())
            if not spans and (kept := self._kept(info)) is not None:
                return Trace(info=info, spans=kept)
            if partial or _is_whole(info, spans):
                return Trace(info=info, spans=spans)
            if pause is not None:
                self._pause(pause)
        raise NotFound(f"Trace with ID {id} is not fully exported yet, please try again later.")

    def file(self, id: str) -> bytes:
        """The spans that have come, as MLflow's trace files hold them: JSON with the field ``spans``.

        Raises:
            NotFound: there is no such trace.
        """
        with self._book.read() as tx:
            info = _one(traces.read_traces(tx, [id]), id)
            texts = traces.read_span_texts(tx, id)
        kept = None if texts else self._kept(info)
        return f'{{"spans": [{", ".join(texts or map(to_text, kept or ()))}]}}'.encode()

    def attachment(self, id: str, name: str) -> str:
        """The path, among the artifacts, of a file that a client put beside a trace.

        Raises:
            NotFound: there is no such trace, or its files are not kept here.
        """
        root = self.find_info(id).tags.get(ARTIFACT_TAG, "")
        if not root.startswith(ARTIFACT_SCHEME):
            raise NotFound(f"the files of trace {id!r} are not kept here", where=root)
        return f"{root.removeprefix(ARTIFACT_SCHEME)}/attachments/{name}"

    def infos(self, ids: Sequence[str], experiment_ids: Sequence[str] | None = None) -> tuple[TraceInfo, ...]:
        """Traces without their spans, in the order given, without unknown ones and those of other experiments."""
        with self._book.read() as tx:
            found = traces.read_traces(tx, ids)
        return tuple(each for each in found if experiment_ids is None or each.experiment_id in experiment_ids)

    def whole(self, ids: Sequence[str], experiment_ids: Sequence[str] | None = None) -> tuple[Trace, ...]:
        """Traces with their spans, as :meth:`infos`; those whose spans have not all come are left out too."""
        with self._book.read() as tx:
            infos = traces.read_traces(tx, ids)
            spans = traces.read_spans(tx, [each.id for each in infos])
        found = [Trace(info=each, spans=spans.get(each.id, ())) for each in infos]
        return tuple(
            each
            for each in found
            if _is_whole(each.info, each.spans)
            and (experiment_ids is None or each.info.experiment_id in experiment_ids)
        )

    def search(
        self,
        experiment_ids: Sequence[str],
        filter: str | None = None,
        *,
        order_by: Sequence[str] = (),
        most: int = 100,
        token: str | None = None,
    ) -> Page[TraceInfo]:
        """Traces of experiments that meet a filter; the latest first, unless another order is asked for.

        Args:
            experiment_ids: where to search.
            filter: conditions joined by AND, as in ``span.type = 'LLM' AND tags.team = 'delay'``.
            order_by: keys, each with ``ASC`` or ``DESC`` behind it if wanted.
            most: traces a page, at most 500.
            token: that of the page before.

        Raises:
            UsageError: filter, order, count or token cannot be used.
        """
        with self._book.read() as tx:
            ids, following = search_traces(
                tx, experiment_ids, filter, order_by=order_by, most=most, token=token
            )
            return Page(items=tuple(traces.read_traces(tx, ids)), token=following)

    def delete(
        self,
        experiment_id: str,
        *,
        until_ms: int | None = None,
        most: int | None = None,
        ids: Sequence[str] = (),
    ) -> int:
        """Delete the oldest traces of an experiment that meet every condition given; return how many they were.

        Raises:
            NotFound: there is no such experiment.
            UsageError: no condition is given, or both ids and others.
        """
        if (until_ms is None) == (not ids):
            raise UsageError(
                "Either `max_timestamp_millis` or `trace_ids` must be specified, and only one of them.",
                why="deleting all traces of an experiment by an empty condition is rarely meant",
            )
        if most is not None and (ids or most <= 0):
            raise UsageError(f"`max_traces` must be a positive integer, without `trace_ids`; it is {most}.")
        with self._book.write() as tx:
            chosen = traces.choose_traces(tx, experiment_id, until_ms=until_ms, most=most, ids=ids)
            traces.delete_traces(tx, chosen)
            self._book.audit(tx, "traces.delete", f"experiment/{experiment_id}", traces=len(chosen))
            return len(chosen)

    def _kept(self, info: TraceInfo) -> tuple[Span, ...] | None:
        """Spans that the client has put among the artifacts; None when there are none, or elsewhere."""
        root = info.tags.get(ARTIFACT_TAG, "")
        if not root.startswith(ARTIFACT_SCHEME):
            return None
        path = f"{root.removeprefix(ARTIFACT_SCHEME)}/{SPANS_FILE}"
        try:
            if self._artifacts.find(path).size > _LARGEST:
                return None
            with self._artifacts.open(path) as file:
                kept = json.load(file)
            return in_order(from_content(info.id, each) for each in kept.get("spans", []))
        except (NotFound, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None  # there is none, or whoever put it put something else


def _one(found: Sequence[TraceInfo], id: str) -> TraceInfo:
    if not found:
        raise NotFound(f"Trace with ID '{id}' not found.")
    return found[0]


def _is_whole(info: TraceInfo, spans: Sequence[Span]) -> bool:
    if not spans:
        return False
    try:
        expected = json.loads(info.metadata.get(_SIZES, "{}")).get("num_spans", 0)
    except (ValueError, AttributeError, RecursionError):
        return True
    return not isinstance(expected, int) or len(spans) >= expected
