"""The front door of tracking and registry: one object, one journey a subject; the same in process and over HTTP."""

from typing import Self

from mlwright.platform.proving import ProofEngines
from mlwright.platform.tracking.annotations import AnnotationJourney
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.experiments import ExperimentJourney
from mlwright.platform.tracking.leaving import ExportJourney
from mlwright.platform.tracking.logged_models import LoggedModelJourney
from mlwright.platform.tracking.looking import LookingJourney
from mlwright.platform.tracking.metrics import MetricJourney
from mlwright.platform.tracking.models import ModelJourney
from mlwright.platform.tracking.moving import ImportJourney
from mlwright.platform.tracking.proofs import ProofJourney
from mlwright.platform.tracking.runs import RunJourney
from mlwright.platform.tracking.search import SearchJourney
from mlwright.platform.tracking.traces import TraceJourney
from mlwright.platform.tracking.versions import VersionJourney
from mlwright.platform.tracking.webhooks import WebhookJourney


class TrackingPlatform:
    """The journeys of tracking and registry. Importing it stays light: no data frames, no learning library."""

    def __init__(self, book: Book, engines: ProofEngines | None = None) -> None:
        self.book = book
        self.experiments = ExperimentJourney(book)
        self.runs = RunJourney(book)
        self.metrics = MetricJourney(book)
        self.logged_models = LoggedModelJourney(book)
        self.search = SearchJourney(book)
        self.looking = LookingJourney(book)
        self.models = ModelJourney(book)
        self.versions = VersionJourney(book)
        self.webhooks = WebhookJourney(book)
        self.artifacts = ArtifactJourney(book)
        self.moving = ImportJourney(book, self.artifacts)
        self.leaving = ExportJourney(book, self.artifacts)
        self.traces = TraceJourney(book)
        self.annotations = AnnotationJourney(book)
        self.proofs = ProofJourney(book, self.artifacts, engines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is under way, and let go of the database."""
        self.book.close()
