"""A project's settings as frozen values. ``mlwright.toml`` is parsed into these once, at the edge."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from mlwright.model.features import FeatureView
from mlwright.model.promotion import PromotionPolicy
from mlwright.model.rollouts import RolloutPlan


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
class SloSettings:
    """What an endpoint promises to those who call it."""

    latency_p99: timedelta = timedelta(milliseconds=250)
    availability: float = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """When realised quality counts as decayed.

    An alert fires when the whole confidence interval of the metric over ``window`` lies more than ``tolerance``
    below the evidence that the champion was released with.
    """

    metric: str = "auc"
    window: timedelta = timedelta(days=14)
    tolerance: float = 0.02
    level: float = 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """What starts a retraining, on which windows of history, and what its winner must show.

    ``gate_level`` is the confidence with which a candidate must beat the champion on held-out rows to be worth a
    rollout, ``gate_gain`` by how much at least. The rollout then tests for harm, so the gate may be lenient.
    """

    pipeline: str
    on: tuple[str, ...] = ("performance", "schedule:monthly")
    windows: tuple[str, ...] = ("all",)
    cooldown: timedelta = timedelta(days=14)
    gate_window: timedelta = timedelta(days=14)
    gate_level: float = 0.95
    gate_gain: float = 0.0
    approval: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """A model behind an address, with everything that watches over it."""

    name: str
    model: str
    entity: str
    timestamp: str
    label: LabelSettings
    features: tuple[str, ...] = ()
    slo: SloSettings = field(default_factory=SloSettings)
    rollout: RolloutPlan | None = None
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    retrain: RetrainSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Where alerts go besides the page: ``log`` or a webhook URL (as ``env:NAME`` or ``file:PATH`` if secret)."""

    kind: str
    url: str | None = field(default=None, repr=False)


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
    """The address of the pages and of the endpoints, and how many inference processes share it."""

    host: str = "127.0.0.1"
    port: int = 8500
    inference_port: int = 8501
    workers: int = 1


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
