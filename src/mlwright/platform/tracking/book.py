"""What the journeys of tracking hold: the database, the artifacts, the clock, and the one thread that writes."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from mlwright.model.promotion import PromotionPolicy
from mlwright.platform.reading import reading
from mlwright.platform.tracking.committer import GroupCommitter
from mlwright.ports.artifacts import ArtifactStore
from mlwright.ports.clock import Clock
from mlwright.ports.webhooks import WebhookSender
from mlwright.stages.ledger import store as ledger

T = TypeVar("T")

ARTIFACT_SCHEME = "mlflow-artifacts:/"
"""Where runs of clients keep their artifacts: with us, below the path that follows."""


class Book:
    """The store that every journey of tracking reads and writes."""

    def __init__(
        self,
        *,
        engine: Engine,
        artifacts: ArtifactStore,
        clock: Clock,
        state: Path,
        actor: str = "local",
        sender: WebhookSender | None = None,
        prove: str = "isolated",
        place: Mapping[str, str] | None = None,
        policies: tuple[PromotionPolicy, ...] = (),
    ) -> None:
        self.engine = engine
        self.artifacts = artifacts
        self.clock = clock
        self.state = state
        self.actor = actor
        self.sender = sender
        self.prove = prove
        """How versions are proved that clients register: ``isolated``, ``files`` or ``off``."""
        self.place = dict(place or {})
        """Where the same store is opened by another process; empty where it cannot be."""
        self.policies = policies
        """What has to be shown before an alias moves."""
        self._committer = GroupCommitter(engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; it sees one state of the database."""
        if self._committer.is_here:
            with self._committer.transaction() as tx:
                yield tx
        else:
            with reading(self.engine) as tx:
                yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: everything in it is kept, or nothing is. Within a submitted job it is part of its group."""
        if self._committer.is_here:
            with self._committer.transaction() as tx:
                yield tx
        else:
            with self.engine.begin() as tx:
                yield tx

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Have a call that writes run on the writing thread, committed together with what else waits."""
        return self._committer.submit(call)

    def commit(self, call: Callable[[], T]) -> T:
        """Have a call that writes run on the writing thread, and wait until it is committed."""
        return call() if self._committer.is_here else self._committer.submit(call).result()

    def audit(self, tx: Connection, action: str, subject: str, **details: object) -> None:
        """Add an audit row to the transaction that makes the change."""
        ledger.append_audit(tx, self.clock.now(), self.actor, action, subject, dict(details))

    def now_ms(self) -> int:
        """The present instant in milliseconds since 1970."""
        return int(self.clock.now().timestamp() * 1000)

    def close(self) -> None:
        """Commit what was submitted, and let go of the database."""
        self._committer.close()
        self.engine.dispose()
