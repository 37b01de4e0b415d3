"""What the platform is made of: the engines that wiring chose, and the settings they serve."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from mlwright.errors import NotFound
from mlwright.model.contracts import Contract
from mlwright.model.ledger import Decision, Node
from mlwright.model.settings import DatasetSettings, EndpointSettings, Settings
from mlwright.platform.proving import ProofEngines
from mlwright.platform.reading import reading
from mlwright.ports.artifacts import ArtifactStore
from mlwright.ports.clock import Clock
from mlwright.ports.converters import ModelConverter
from mlwright.ports.executor import Executor
from mlwright.ports.images import ImageTools
from mlwright.ports.learner import Learner
from mlwright.ports.measuring import Measuring
from mlwright.ports.notifier import Notifier
from mlwright.ports.online_store import OnlineStore
from mlwright.ports.run_sink import RunSink
from mlwright.ports.streams import RecordStream
from mlwright.stages.ledger import store as ledger
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.stages.serving.batch.working import OpenCore
from mlwright.stages.serving.log import PredictionLog

if TYPE_CHECKING:
    from mlwright.platform.tracking.proofs import Proved


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One project's engines. Journeys hold these and nothing else."""

    settings: Settings
    engine: Engine
    artifacts: ArtifactStore
    online: OnlineStore
    shelf: ModelShelf
    executor: Executor
    clock: Clock
    notifiers: tuple[Notifier, ...]
    log: PredictionLog
    read_contract: Callable[[str], Contract]
    """Path of a contract file, relative to the project → the contract."""
    actor: str = "local"
    proofs: ProofEngines | None = None
    """What registered models are proved with; None: nobody proves them."""
    open_sink: Callable[[], RunSink] | None = None
    """Opens the other tracking server that runs are sent to; None where there is none."""
    take_in: "Callable[[str], Proved] | None" = None
    """Fetches, stores and checks the files of a version that a client registered by its address; None: nobody does."""
    converters: tuple[ModelConverter, ...] = ()
    """What makes other forms of models."""
    measuring: Measuring | None = None
    """Measures models in processes of their own; None: nothing does."""
    learner: Learner | None = None
    """Fits the small models of drift, estimates and diagnosis; None: what needs one is left out."""
    images: ImageTools | None = None
    """What images of endpoints are made with; None: nobody makes them."""
    open_core: OpenCore | None = None
    """Opens what scores files and streams; it may be sent to other processes. None: nothing is scored here."""
    open_stream: Callable[[str, str, str], RecordStream] | None = None
    """The URL of a stream, that of the output and a group → one consumer."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; it sees one state of the database."""
        with reading(self.engine) as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: everything in it is kept, or nothing is."""
        with self.engine.begin() as tx:
            yield tx

    def endpoint(self, name: str) -> EndpointSettings:
        """The endpoint's settings.

        Raises:
            NotFound: mlwright.toml has no such endpoint.
        """
        found = self.settings.endpoint(name)
        if found is None:
            raise NotFound.named(
                "endpoint", name, [each.name for each in self.settings.endpoints], "mlwright endpoints"
            )
        return found

    def dataset(self, name: str) -> DatasetSettings:
        """The data set's settings.

        Raises:
            NotFound: mlwright.toml has no such data set.
        """
        found = self.settings.dataset(name)
        if found is None:
            raise NotFound.named("dataset", name, [each.name for each in self.settings.datasets])
        return found

    def audit(self, tx: Connection, action: str, subject: str, **details: object) -> None:
        """Add an audit row to the transaction that makes the change."""
        ledger.append_audit(tx, self.clock.now(), self.actor, action, subject, dict(details))

    def decide(
        self,
        tx: Connection,
        kind: str,
        subject: str,
        outcome: str,
        reasons: tuple[str, ...],
        evidence: dict[str, object] | None = None,
        at: datetime | None = None,
    ) -> Decision:
        """Write down a decision and why it was made."""
        now = at or self.clock.now()
        decision = Decision(
            id=f"{kind}-{subject}-{now:%Y%m%dT%H%M%S%f}",
            at=now,
            kind=kind,
            subject=subject,
            outcome=outcome,
            reasons=reasons,
            evidence=evidence or {},
        )
        ledger.add_decision(tx, decision)
        return decision


def node(kind: str, name: object) -> Node:
    """A node of the lineage graph."""
    return Node(kind=kind, id=str(name))
