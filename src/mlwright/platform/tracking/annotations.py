"""What people and programs say of traces afterwards: assessments, tags, and links to runs and prompts."""

from collections.abc import Sequence
from dataclasses import replace

from mlwright.errors import UsageError
from mlwright.model.ids import RunId
from mlwright.model.traces import SPANS_TAG, Assessment, AssessmentChange
from mlwright.platform.tracking.book import Book
from mlwright.stages.tracking import assessments, trace_links, traces

_OURS = {SPANS_TAG, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"}


class AnnotationJourney:
    """What people and programs say of traces afterwards: assessments, tags, and links to runs and prompts."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def assess(self, assessment: Assessment) -> Assessment:
        """Record an assessment of a trace; an empty id gets a new one, and instants of 0 the present one.

        Raises:
            NotFound: there is no such trace, or no assessment of it that could be overridden.
            AlreadyExists: another assessment has the id.
        """
        now = self._book.now_ms()
        assessment = replace(
            assessment,
            created_ms=assessment.created_ms or now,
            updated_ms=assessment.updated_ms or assessment.created_ms or now,
        )
        with self._book.write() as tx:
            number = traces.find_trace(tx, assessment.trace)
            return assessments.add_assessment(tx, number, assessment)

    def find_assessment(self, trace: str, id: str) -> Assessment:
        """One assessment.

        Raises:
            NotFound: there is no such trace, or it has no such assessment.
        """
        with self._book.read() as tx:
            return assessments.find_assessment(tx, trace, id)

    def change_assessment(self, trace: str, id: str, change: AssessmentChange) -> Assessment:
        """Change an assessment, and return it as it is then.

        Raises:
            NotFound: there is no such trace, or it has no such assessment.
            UsageError: feedback would become an expectation, or the other way round.
        """
        with self._book.write() as tx:
            return assessments.change_assessment(tx, trace, id, change, self._book.now_ms())

    def delete_assessment(self, trace: str, id: str) -> None:
        """Delete an assessment; one that it has overridden is valid again. Deleting what is not there changes nothing.

        Raises:
            NotFound: there is no such trace.
        """
        with self._book.write() as tx:
            assessments.delete_assessment(tx, trace, id)

    def set_tag(self, trace: str, key: str, value: str) -> None:
        """Set a tag of a trace.

        Raises:
            NotFound: there is no such trace.
            UsageError: the key or the value cannot be one, or the tag is not for clients to set.
        """
        if key in _OURS:
            raise UsageError(f"Tag '{key}' is immutable and cannot be set on a trace.")
        with self._book.write() as tx:
            traces.set_trace_tag(tx, trace, key, value)

    def remove_tag(self, trace: str, key: str) -> None:
        """Remove a tag of a trace.

        Raises:
            NotFound: there is no such trace, or it has no such tag.
            UsageError: the tag is not for clients to remove.
        """
        if key in _OURS:
            raise UsageError(f"Tag '{key}' is immutable and cannot be deleted on a trace.")
        with self._book.write() as tx:
            traces.remove_trace_tag(tx, trace, key)

    def link_to_run(self, ids: Sequence[str], run: RunId) -> None:
        """Say that traces belong to a run besides that in which they were made. Unknown traces are passed over.

        Raises:
            NotFound: there is no such run.
            UsageError: more than 100 traces at once.
        """
        with self._book.write() as tx:
            trace_links.link_to_run(tx, ids, run)

    def link_prompts(self, trace: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Say which prompts, by name and version, a trace used.

        Raises:
            NotFound: there is no such trace.
        """
        with self._book.write() as tx:
            trace_links.link_prompts(tx, trace, prompts)
