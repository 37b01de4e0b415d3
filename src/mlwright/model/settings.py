"""A project's settings as frozen values. ``mlwright.toml`` is parsed into these once, at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from mlwright.errors import SettingsError
from mlwright.model.features import FeatureView
from mlwright.model.promotion import PromotionPolicy
from mlwright.model.rollouts import RolloutPlan
from mlwright.model.watch_settings import (
    EscalationSettings,
    MonitorSettings,
    NotifySettings,
    RetrainSettings,
    SloSettings,
    ValueSettings,
)

ENTITY: Final = "entity_key"
TIMESTAMP: Final = "event_time"
"""What names the entity and the instant of a row where the project does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSettings:
    """A named data set: where its rows come from and which contract they keep."""

    name: str
    source: str
    contract: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings:
    """The truth that a prediction waits for.

    ``observed`` names the column that says when each label became known; a window counts once ``horizon`` has
    passed since its end.
    """

    column: str
    horizon: timedelta
    observed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingSettings:
    """How requests of several clients are answered together.

    ``mode`` is ``auto`` (measured at warm-up: inline where one row takes less than ``INLINE_S``, else thread),
    ``inline`` (on the event loop, what arrived in one wake-up of it), ``thread`` (in a thread, what queued while it was
    busy) or ``window`` (in a thread, after ``window`` or ``max_rows``). A batch never has more than ``max_rows`` rows,
    except when one request alone has.
    """

    mode: str = "auto"
    max_rows: int = 64
    window: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What an endpoint takes at most, so that it keeps answering. A limit of 0 is none.

    ``queue_rows`` bounds the rows that wait or are being scored in one process; ``client_rate`` and ``client_burst``
    the requests a second of one client (its address); ``deadline`` is how long a request may wait before it is dropped
    unscored, unless it says so itself; ``body_bytes`` bounds one body.
    """

    queue_rows: int = 4096
    client_rate: float = 0.0
    client_burst: int = 0
    deadline: timedelta = timedelta(seconds=10)
    body_bytes: int = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """What happens to values outside the contract.

    ``invalid`` is ``reject`` (a 4xx that names field, row, expected and got), ``impute`` (the value of ``impute`` for
    the field, or missing where it has none, and flagged) or ``flag`` (accepted, and flagged in the answer and the
    log). ``contract`` is a file in ODCS; without one the model's signature is the contract. ``extra`` says what happens
    to fields that nobody asked for: ``reject`` or ``ignore``.
    """

    invalid: str = "reject"
    impute: Mapping[str, float | str | bool] = field(default_factory=dict)
    contract: str | None = None
    extra: str = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings:
    """What answers when the model cannot (it raises, or its queue is full): marked as degraded.

    ``to`` is ``none``, ``previous`` (the version that served before, kept in memory), ``cached`` (the last answer for
    the same inputs) or ``default`` (``value`` for each row).
    """

    to: str = "none"
    value: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """What of the predictions is kept.

    ``sample`` is the part of requests logged, in [0, 1], drawn by prediction id. Columns in ``mask`` are kept as a
    keyed digest, columns in ``leave_out`` not at all. ``when_full`` says what happens where the log's ring is full:
    ``drop`` (answer, and count the loss) or ``refuse`` (503).
    """

    sample: float = 1.0
    mask: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    when_full: str = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """How an endpoint answers."""

    batching: BatchingSettings = field(default_factory=BatchingSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    fallback: FallbackSettings = field(default_factory=FallbackSettings)
    record: RecordSettings = field(default_factory=RecordSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """A model behind an address, with everything that watches over it."""

    name: str
    model: str
    entity: str = ENTITY
    timestamp: str = TIMESTAMP
    keyed: bool = True
    """Whether a request has to name its entity and time. Where not, the prediction's own id and the time of the
    request stand in for those that are not sent."""
    label: LabelSettings | None = None
    features: tuple[str, ...] = ()
    serving: ServingSettings = field(default_factory=ServingSettings)
    slo: SloSettings = field(default_factory=SloSettings)
    rollout: RolloutPlan | None = None
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    retrain: RetrainSettings | None = None
    value: ValueSettings | None = None
    owner: str | None = None
    runbook: str | None = None
    """Who looks after it, and the page that says what to do: every alert about it carries both."""

    @property
    def truth(self) -> LabelSettings:
        """The label, for what cannot be done without.

        Raises:
            SettingsError: the endpoint has none.
        """
        if self.label is None:
            raise SettingsError(
                f"endpoint {self.name!r} has no label, so nothing is known of its quality",
                where=f"[[endpoint]] {self.name}",
                next_command='add label = { column = "…", horizon = "1d" } to it in mlwright.toml',
            )
        return self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorSettings:
    """The language model that may talk about answers.

    ``model`` is provider and model (``openai:gpt-5``). ``key`` is a reference, ``env:NAME`` or ``file:PATH``, resolved
    only when the model is asked; without one the provider's own environment variable counts. ``time_limit`` bounds one
    whole conversation.
    """

    model: str
    base_url: str | None = None
    key: str | None = None
    time_limit: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What is found out about a model version when it is registered, and whose signature it must have.

    ``prove`` is ``isolated`` (its files are checked, and it is loaded and scored in an environment of its own),
    ``files`` (nothing of it is run) or ``off``. With ``signing_key``, the file of a private key, every version that is
    proved is signed; with ``verify_key``, the file of a public key, nothing is loaded that it does not verify.
    """

    prove: str = "isolated"
    signing_key: Path | None = None
    verify_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """A server of others that runs of the project's pipelines are sent to, besides being kept here.

    ``token`` is a reference, ``env:NAME`` or ``file:PATH``, resolved only when something is sent. ``experiment`` is the
    name there; the project's unless given.
    """

    uri: str = field(repr=False)
    token: str | None = None
    experiment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """The address of the pages and of the endpoints, and how many inference processes share it.

    ``workers`` is the least number of them, ``max_workers`` the most (0: no more than ``workers``); between the two the
    measured concurrency decides. With ``idle`` they go down to none when nothing was asked for so long, and come back
    with the next request. ``grpc_port`` is that of the gRPC process; 0: there is none.
    """

    host: str = "127.0.0.1"
    port: int = 8500
    inference_port: int = 8501
    workers: int = 1
    max_workers: int = 0
    idle: timedelta = timedelta(0)
    grpc_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One project."""

    name: str
    root: Path
    state: Path
    database: str = field(repr=False)
    artifacts: str
    pipelines: tuple[str, ...] = ("pipeline.py",)
    seed: int = 0
    datasets: tuple[DatasetSettings, ...] = ()
    feature_views: tuple[FeatureView, ...] = ()
    endpoints: tuple[EndpointSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    escalations: tuple[EscalationSettings, ...] = ()
    serve: ServeSettings = field(default_factory=ServeSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    promotions: tuple[PromotionPolicy, ...] = ()
    advisor: AdvisorSettings | None = None
    tracking: TrackingSettings | None = None

    def endpoint(self, name: str) -> EndpointSettings | None:
        """The endpoint of that name, or None."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)

    def dataset(self, name: str) -> DatasetSettings | None:
        """The data set of that name, or None."""
        return next((dataset for dataset in self.datasets if dataset.name == name), None)

    def view(self, name: str) -> FeatureView | None:
        """The feature view of that name, or None."""
        return next((view for view in self.feature_views if view.name == name), None)
