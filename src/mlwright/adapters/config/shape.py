"""The shape of ``mlwright.toml``: the pydantic models behind the parser and the published JSON Schema.

Only forms are checked here, one value at a time. What several values say together is in ``cross.py``.
"""

from typing import Annotated, Literal

from pydantic import Field

from mlwright.adapters.config.kinds import (
    ColumnName,
    Duration,
    Host,
    KeyFile,
    ModelAtAlias,
    Name,
    Percent,
    Port,
    ProviderModel,
    ProviderUrl,
    SecretReference,
    Step,
    Table,
)
from mlwright.adapters.config.promotion_shape import PromotionTable
from mlwright.adapters.config.serving_shape import (
    BatchingTable,
    EdgeTable,
    FallbackTable,
    LimitsTable,
    RecordTable,
)
from mlwright.adapters.config.tracking_shape import Tracking
from mlwright.adapters.config.watch_shape import (
    EscalationTable,
    MonitorTable,
    NotifyTable,
    RetrainTable,
    SloTable,
    ValueTable,
)
from mlwright.model.rollouts import RolloutPlan
from mlwright.model.settings import AdvisorSettings, ServeSettings


class ProjectTable(Table):
    """The project itself."""

    name: Name
    seed: Annotated[int, Field(ge=0, description="Seeds every random choice of a pipeline.")] = 0
    pipelines: Annotated[
        list[str], Field(min_length=1, description="Files that define pipelines, relative to this file.")
    ] = ["pipeline.py"]


class StorageTable(Table):
    """Where state is kept. ``env:NAME`` and ``file:PATH`` stand for the value of a variable or of a file."""

    state: Annotated[
        str, Field(min_length=1, description="Folder of the database, the log and the artifacts.")
    ] = ".mlwright"
    database: Annotated[
        str | None,
        Field(description="sqlite:///… or postgresql+psycopg://…; default: a file in the state folder."),
    ] = None
    artifacts: Annotated[
        str | None, Field(description="A folder or an fsspec URL such as s3://bucket/prefix.")
    ] = None


class ServeTable(Table):
    """The addresses of the pages and of the endpoints."""

    host: Host = ServeSettings().host
    port: Port = ServeSettings().port
    inference_port: Port = ServeSettings().inference_port
    workers: Annotated[
        int, Field(ge=0, le=64, description="Inference processes; 0 keeps everything in one process.")
    ] = ServeSettings().workers
    max_workers: Annotated[
        int,
        Field(
            ge=0,
            le=64,
            description="The most of them, started as concurrency rises; 0: never more than workers.",
        ),
    ] = ServeSettings().max_workers
    idle: Annotated[
        Duration | None,
        Field(description="When nothing was asked for so long, none is left; the next request starts one."),
    ] = None
    grpc_port: Annotated[
        Port | None,
        Field(description="Where endpoints answer over gRPC, in a process of its own; default: nowhere."),
    ] = None


class RegistryTable(Table):
    """What is found out about a model version when it is registered, and whose signature it must have."""

    prove: Annotated[
        Literal["isolated", "files", "off"],
        Field(
            description="isolated: load and score it in an environment of its own; files: run nothing of it."
        ),
    ] = "isolated"
    signing_key: Annotated[
        KeyFile | None, Field(description="Private key (PEM, elliptic curve) that signs what was proved.")
    ] = None
    verify_key: Annotated[
        KeyFile | None, Field(description="Public key (PEM); nothing is loaded that it does not verify.")
    ] = None


class DatasetTable(Table):
    """A named data set."""

    name: Name
    source: Annotated[
        str,
        Field(
            min_length=1, description="A path, a glob, or 'file.py:function'.", examples=["data.py:flights"]
        ),
    ]
    contract: Annotated[str | None, Field(description="An ODCS v3.1 file, relative to this file.")] = None


class FeatureViewTable(Table):
    """Values of a data set, looked up by entity as of an instant, at most ``ttl`` old."""

    name: Name
    dataset: str
    entity: Annotated[list[ColumnName], Field(min_length=1)]
    timestamp: ColumnName
    ttl: Duration
    features: Annotated[list[ColumnName], Field(min_length=1)]
    created: Annotated[
        ColumnName | None, Field(description="Column of the instant at which a row was written; breaks ties.")
    ] = None


class LabelTable(Table):
    """The truth that a prediction waits for; a window counts once ``horizon`` has passed since its end."""

    column: ColumnName
    horizon: Duration
    observed: Annotated[
        ColumnName | None, Field(description="Column of the instant at which the label became known.")
    ] = None


class RolloutTable(Table):
    """How a challenger earns its place."""

    steps: Annotated[list[Step], Field(min_length=1)]
    loss_margin: Annotated[float, Field(gt=0)] = RolloutPlan(steps=()).loss_margin
    latency_margin: Percent = RolloutPlan(steps=()).latency_margin
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = RolloutPlan(steps=()).alpha
    deadline: Duration = RolloutPlan(steps=()).deadline
    min_labels: Annotated[int, Field(ge=1)] = RolloutPlan(steps=()).min_labels


class EndpointTable(Table):
    """A model behind an address, with everything that watches over it."""

    name: Name
    model: ModelAtAlias
    entity: Annotated[
        ColumnName | None,
        Field(
            description="The input that names what a row is about; without it each prediction stands alone."
        ),
    ] = None
    timestamp: Annotated[
        ColumnName | None, Field(description="The input with the instant of a row; given where entity is.")
    ] = None
    label: Annotated[
        LabelTable | None,
        Field(description="Without it the endpoint is served, but nothing is known of its quality."),
    ] = None
    batching: Annotated[BatchingTable, Field(default_factory=BatchingTable)]
    limits: Annotated[LimitsTable, Field(default_factory=LimitsTable)]
    edge: Annotated[EdgeTable, Field(default_factory=EdgeTable)]
    fallback: Annotated[FallbackTable, Field(default_factory=FallbackTable)]
    record: Annotated[RecordTable, Field(default_factory=RecordTable)]
    features: Annotated[list[str], Field(description="Names of feature views.")] = []
    slo: Annotated[SloTable, Field(default_factory=SloTable)]
    rollout: RolloutTable | None = None
    monitor: Annotated[MonitorTable, Field(default_factory=MonitorTable)]
    retrain: RetrainTable | None = None
    value: ValueTable | None = None
    owner: Annotated[str | None, Field(min_length=1, description="Who looks after it; in every alert.")] = (
        None
    )
    runbook: Annotated[
        str | None, Field(min_length=1, description="The page that says what to do; in every alert.")
    ] = None


class AdvisorTable(Table):
    """The language model that ``ask --advisor project`` lets talk. It decides nothing, and nobody asks it unasked."""

    model: ProviderModel
    base_url: Annotated[
        ProviderUrl | None, Field(description="A server of your own that speaks the provider's protocol.")
    ] = None
    key: Annotated[
        SecretReference | None,
        Field(description="env:NAME or file:PATH; default: the provider's own environment variable."),
    ] = None
    time_limit: Annotated[Duration, Field(description="For one whole answer.")] = AdvisorSettings(
        model=""
    ).time_limit


class SettingsFile(Table):
    """The whole file."""

    project: ProjectTable
    storage: Annotated[StorageTable, Field(default_factory=StorageTable)]
    serve: Annotated[ServeTable, Field(default_factory=ServeTable)]
    registry: Annotated[RegistryTable, Field(default_factory=RegistryTable)]
    tracking: Tracking | None = None
    dataset: list[DatasetTable] = []
    feature_view: list[FeatureViewTable] = []
    endpoint: list[EndpointTable] = []
    promotion: list[PromotionTable] = []
    notify: list[NotifyTable] = []
    escalation: list[EscalationTable] = []
    advisor: AdvisorTable | None = None
