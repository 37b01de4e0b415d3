"""The shape of ``mlwright.toml``: the pydantic models behind the parser and the published JSON Schema.

Only forms are checked here, one value at a time. What several values say together is in ``cross.py``.
"""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from mlwright.adapters.config.promotion_shape import PromotionTable
from mlwright.adapters.config.tracking_shape import Tracking
from mlwright.model.durations import parse_duration
from mlwright.model.rollouts import RolloutPlan, RolloutStep
from mlwright.model.settings import (
    AdvisorSettings,
    MonitorSettings,
    RetrainSettings,
    ServeSettings,
    SloSettings,
)

_DURATION = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*$"
_STEP = re.compile(r"\s*(?:(shadow)|(\d+(?:\.\d+)?)\s*%)(?:\s+(\S+))?\s*")
_SCHEDULES = ("schedule:daily", "schedule:weekly", "schedule:monthly")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} must be text in quotes")
    return value


def _duration(value: object) -> timedelta:
    span = parse_duration(_text(value))
    if span <= timedelta(0):
        raise ValueError(f"{value!r} must be longer than nothing")
    return span


def _step(value: object) -> RolloutStep:
    found = _STEP.fullmatch(_text(value))
    if not found:
        raise ValueError(f"{value!r} is not a step: write 'shadow 3d' or '10% 2d'")
    share = 0.0 if found[1] else float(found[2]) / 100.0
    if not found[1] and not 0.0 < share <= 1.0:
        raise ValueError(f"the share of {value!r} must be above 0% and at most 100%")
    return RolloutStep(share=share, at_least=_duration(found[3]) if found[3] else timedelta(0))


def _percent(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        share = float(value)
    else:
        found = re.fullmatch(r"\s*\+?(\d+(?:\.\d+)?)\s*%\s*", _text(value))
        if not found:
            raise ValueError(f"{value!r} is not a share: write '20%' or 0.2")
        share = float(found[1]) / 100.0
    if share < 0:
        raise ValueError(f"{value!r} must not be negative")
    return share


def _trigger(value: object) -> str:
    word = _text(value)
    known = ("performance", *_SCHEDULES)
    if word not in known:
        raise ValueError(f"{word!r} is none of {', '.join(known)}")
    return word


def _history(value: object) -> str:
    word = _text(value)
    if word != "all":
        _duration(word)
    return word


def _reference(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+@[A-Za-z][A-Za-z0-9_.-]*", word):
        raise ValueError(f"{word!r} is not a model and its alias: write 'flight-delay@champion'")
    return word


def _advisor(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"[a-z][a-z0-9-]*:[^\s:][^\s]*", word):
        raise ValueError(f"{word!r} is not a provider and its model: write 'openai:gpt-5'")
    return word


def _secret_reference(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"(env|file):\S.*", word):
        # The text may be the key itself: it is not repeated.
        raise ValueError(
            "must say where the key is, not what it is: write 'env:OPENAI_API_KEY' or 'file:PATH'"
        )
    return word


def _key_file(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"file:\S.*", word):
        # The text may be the key itself: it is not repeated.
        raise ValueError("must say in which file the key is: write 'file:PATH'")
    return word


def _provider_url(value: object) -> str:
    url = _text(value)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("is not an http or https URL without user and password")
    if parts.scheme == "http" and not _is_inside(parts.hostname):
        raise ValueError("would send the key and the facts in the clear: use https, or http on this machine")
    return url


def _is_inside(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _loopback(value: object) -> str:
    host = _text(value)
    if not _is_inside(host):
        raise ValueError(
            f"{host!r} would be open to others, and there are no tokens yet: use 127.0.0.1, ::1 or localhost"
        )
    return host


Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["6h", "14d"]}),
]
Step = Annotated[
    RolloutStep,
    PlainValidator(_step),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(shadow|\d+(\.\d+)?\s*%)(\s+\S+)?\s*$",
            "examples": ["shadow 3d", "10% 2d"],
        }
    ),
]
Percent = Annotated[
    float,
    PlainValidator(_percent),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\+?\d+(\.\d+)?\s*%\s*$"},
                {"type": "number", "minimum": 0},
            ]
        }
    ),
]
Trigger = Annotated[
    str, PlainValidator(_trigger), WithJsonSchema({"type": "string", "enum": ["performance", *_SCHEDULES]})
]
History = Annotated[
    str,
    PlainValidator(_history),
    WithJsonSchema({"type": "string", "pattern": r"^(all|\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)$"}),
]
ModelAtAlias = Annotated[str, BeforeValidator(_reference), Field(examples=["flight-delay@champion"])]
Host = Annotated[str, BeforeValidator(_loopback)]
ProviderModel = Annotated[str, BeforeValidator(_advisor), Field(examples=["openai:gpt-5"])]
ProviderUrl = Annotated[str, BeforeValidator(_provider_url)]
SecretReference = Annotated[str, BeforeValidator(_secret_reference), Field(examples=["env:OPENAI_API_KEY"])]
KeyFile = Annotated[str, BeforeValidator(_key_file), Field(examples=["file:model.pub"])]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
ColumnName = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ProjectTable(_Table):
    """The project itself."""

    name: Name
    seed: Annotated[int, Field(ge=0, description="Seeds every random choice of a pipeline.")] = 0
    pipelines: Annotated[
        list[str], Field(min_length=1, description="Files that define pipelines, relative to this file.")
    ] = ["pipeline.py"]


class StorageTable(_Table):
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


class ServeTable(_Table):
    """The addresses of the pages and of the endpoints."""

    host: Host = ServeSettings().host
    port: Port = ServeSettings().port
    inference_port: Port = ServeSettings().inference_port
    workers: Annotated[
        int, Field(ge=0, le=64, description="Inference processes; 0 keeps everything in one process.")
    ] = ServeSettings().workers


class RegistryTable(_Table):
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


class DatasetTable(_Table):
    """A named data set."""

    name: Name
    source: Annotated[
        str,
        Field(
            min_length=1, description="A path, a glob, or 'file.py:function'.", examples=["data.py:flights"]
        ),
    ]
    contract: Annotated[str | None, Field(description="An ODCS v3.1 file, relative to this file.")] = None


class FeatureViewTable(_Table):
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


class SloTable(_Table):
    """What the endpoint promises to its callers."""

    latency_p99: Duration = SloSettings().latency_p99
    availability: Annotated[float, Field(gt=0, lt=1)] = SloSettings().availability


class LabelTable(_Table):
    """The truth that a prediction waits for; a window counts once ``horizon`` has passed since its end."""

    column: ColumnName
    horizon: Duration
    observed: Annotated[
        ColumnName | None, Field(description="Column of the instant at which the label became known.")
    ] = None


class RolloutTable(_Table):
    """How a challenger earns its place."""

    steps: Annotated[list[Step], Field(min_length=1)]
    loss_margin: Annotated[float, Field(gt=0)] = RolloutPlan(steps=()).loss_margin
    latency_margin: Percent = RolloutPlan(steps=()).latency_margin
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = RolloutPlan(steps=()).alpha
    deadline: Duration = RolloutPlan(steps=()).deadline
    min_labels: Annotated[int, Field(ge=1)] = RolloutPlan(steps=()).min_labels


class MonitorTable(_Table):
    """When realised quality counts as decayed."""

    metric: Literal["auc", "brier"] = "auc"
    window: Duration = MonitorSettings().window
    tolerance: Annotated[float, Field(gt=0, lt=1)] = MonitorSettings().tolerance
    level: Annotated[float, Field(gt=0.5, lt=1)] = MonitorSettings().level


class RetrainTable(_Table):
    """What starts a retraining, on which windows of history, and who approves its winner."""

    pipeline: Annotated[
        str, Field(pattern=r"^[A-Za-z_]\w*$", description="The name of a @pipeline function.")
    ]
    on: Annotated[list[Trigger], Field(min_length=1)] = ["performance", "schedule:monthly"]
    windows: Annotated[list[History], Field(min_length=1)] = ["all"]
    cooldown: Duration = RetrainSettings(pipeline="").cooldown
    gate_window: Duration = RetrainSettings(pipeline="").gate_window
    gate_level: Annotated[
        float, Field(gt=0.5, lt=1, description="How sure the gate must be that a candidate is better.")
    ] = RetrainSettings(pipeline="").gate_level
    gate_gain: Annotated[
        float, Field(ge=0, lt=1, description="By how much a candidate must be better to be worth a change.")
    ] = RetrainSettings(pipeline="").gate_gain
    approval: Literal["auto", "manual"] = "auto"


class EndpointTable(_Table):
    """A model behind an address, with everything that watches over it."""

    name: Name
    model: ModelAtAlias
    entity: ColumnName
    timestamp: ColumnName
    label: LabelTable
    features: Annotated[list[str], Field(description="Names of feature views.")] = []
    slo: Annotated[SloTable, Field(default_factory=SloTable)]
    rollout: RolloutTable | None = None
    monitor: Annotated[MonitorTable, Field(default_factory=MonitorTable)]
    retrain: RetrainTable | None = None


class NotifyTable(_Table):
    """Where alerts go besides the page."""

    kind: Literal["log", "webhook"]
    url: Annotated[
        str | None, Field(description="Of a webhook; as env:NAME or file:PATH if it is secret.")
    ] = None


class AdvisorTable(_Table):
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


class SettingsFile(_Table):
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
    advisor: AdvisorTable | None = None
