"""Load ``mlwright.toml``: parse it, report every fault, and give frozen settings."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from mlwright.adapters.config.cross import cross_faults
from mlwright.adapters.config.promotion import policies_in
from mlwright.adapters.config.references import Resolver
from mlwright.adapters.config.registry import key_file
from mlwright.adapters.config.serving_shape import serving_settings
from mlwright.adapters.config.shape import (
    EndpointTable,
    FeatureViewTable,
    LabelTable,
    RegistryTable,
    RolloutTable,
    SettingsFile,
)
from mlwright.adapters.config.storage import FILE_NAME, read_toml
from mlwright.adapters.config.tracking_shape import TrackingTable
from mlwright.adapters.config.watch import (
    escalation_settings,
    monitor_settings,
    notify_settings,
    retrain_settings,
    slo_settings,
    value_settings,
)
from mlwright.errors import Fault, SettingsError, near_match
from mlwright.model.durations import format_duration
from mlwright.model.features import FeatureView
from mlwright.model.rollouts import RolloutPlan
from mlwright.model.settings import (
    ENTITY,
    TIMESTAMP,
    AdvisorSettings,
    DatasetSettings,
    EndpointSettings,
    LabelSettings,
    RegistrySettings,
    ServeSettings,
    Settings,
    TrackingSettings,
)


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read one ``mlwright.toml``.

    Args:
        path: the file; its folder is the project's root.
        environment: variables for ``env:NAME``; those of the process unless given.

    Raises:
        SettingsError: the file is absent, is not TOML (``where`` has line and column), or has faults;
            ``faults`` holds all of them with key paths such as ``endpoint[0].rollout.steps[1]``.
    """
    raw = read_toml(path)
    faults: list[Fault] = []
    parsed = None
    try:
        parsed = SettingsFile.model_validate(raw)
    except ValidationError as error:
        faults += [_fault(detail) for detail in error.errors(include_url=False)]
    faults += [fault for fault in cross_faults(raw) if fault.where not in {known.where for known in faults}]
    resolver = Resolver(path.parent.resolve(), os.environ if environment is None else environment)
    settings = _settings(parsed, resolver) if parsed else None
    if settings is None:
        resolver.try_all(raw)
    faults += resolver.faults
    if faults or settings is None:
        raise SettingsError(
            f"{len(faults)} fault{'s' if len(faults) != 1 else ''} in {path.name}",
            where=str(path),
            next_command=f"correct {path.name}, then run again",
            faults=faults,
        )
    return settings


def settings_schema() -> dict[str, object]:
    """The JSON Schema of ``mlwright.toml`` for editors (draft 2020-12)."""
    schema = SettingsFile.model_json_schema(schema_generator=_Schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": FILE_NAME,
        "description": "Settings of an mlwright project.",
    }


class _Schema(GenerateJsonSchema):
    """Writes durations among the defaults as people do, not as ISO 8601."""

    def encode_default(self, dft: object) -> object:
        """Encode one default value."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _fault(detail: ErrorDetails) -> Fault:
    """One pydantic error as a fault with a key path."""
    place = detail["loc"]
    where = _path(place)
    if detail["type"] == "extra_forbidden":
        return Fault(
            where=where, what="is not a key here", near=near_match(str(place[-1]), _keys(place[:-1]))
        )
    if detail["type"] == "missing":
        return Fault(where=where, what="is missing")
    context = detail.get("ctx", {})
    if detail["type"] == "literal_error":
        expected = str(context.get("expected", ""))
        near = near_match(str(detail["input"]), re.findall(r"'([^']*)'", expected))
        return Fault(where=where, what=f"{detail['input']!r} is not {expected}", near=near)
    if detail["type"] == "value_error":
        what = str(context.get("error", detail["msg"]))
        words = re.findall(r"[\w:]+", what.partition(" is none of ")[2])
        return Fault(where=where, what=what, near=near_match(str(detail["input"]), words))
    if detail["type"] == "too_short":
        return Fault(where=where, what="needs at least one entry")
    text = detail["msg"][:1].lower() + detail["msg"][1:]
    shown = repr(detail["input"])
    return Fault(where=where, what=f"{text}, not {shown[:60]}")


def _keys(place: Sequence[str | int]) -> list[str]:
    """The keys of the table at a place of the file."""
    model: type[BaseModel] = SettingsFile
    for part in place:
        if isinstance(part, str):
            inner = _table_of(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _table_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_table_of(part) for part in getattr(annotation, "__args__", ()))
    return next((found for found in inner if found), None)


def _path(place: Sequence[str | int]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(root)"


def _settings(file: SettingsFile, resolver: Resolver) -> Settings:
    state = resolver.folder(file.storage.state)
    return Settings(
        name=file.project.name,
        root=resolver.root,
        state=state,
        database=resolver.database(file.storage.database, state),
        artifacts=resolver.artifacts(file.storage.artifacts, state),
        pipelines=tuple(file.project.pipelines),
        seed=file.project.seed,
        datasets=tuple(
            DatasetSettings(name=table.name, source=table.source, contract=table.contract)
            for table in file.dataset
        ),
        feature_views=tuple(_view(table) for table in file.feature_view),
        endpoints=tuple(_endpoint(table) for table in file.endpoint),
        notify=notify_settings(file.notify, resolver),
        escalations=escalation_settings(file.escalation),
        serve=ServeSettings(
            host=file.serve.host,
            port=file.serve.port,
            inference_port=file.serve.inference_port,
            workers=file.serve.workers,
            max_workers=file.serve.max_workers,
            idle=file.serve.idle or timedelta(0),
            grpc_port=file.serve.grpc_port or 0,
        ),
        registry=_registry(file.registry, resolver.root),
        tracking=_tracking(file.tracking, resolver) if file.tracking else None,
        promotions=policies_in([table.model_dump() for table in file.promotion]),
        advisor=AdvisorSettings(**file.advisor.model_dump()) if file.advisor else None,
    )


def _tracking(table: TrackingTable, resolver: Resolver) -> TrackingSettings:
    uri = resolver.server(table.uri, token=table.token is not None)
    return TrackingSettings(uri=uri, token=table.token, experiment=table.experiment)


def _registry(table: RegistryTable, root: Path) -> RegistrySettings:
    return RegistrySettings(
        prove=table.prove,
        signing_key=key_file(table.signing_key, root),
        verify_key=key_file(table.verify_key, root),
    )


def _view(table: FeatureViewTable) -> FeatureView:
    return FeatureView(
        name=table.name,
        dataset=table.dataset,
        entity=tuple(table.entity),
        timestamp=table.timestamp,
        features=tuple(table.features),
        ttl=table.ttl,
        created=table.created,
    )


def _endpoint(table: EndpointTable) -> EndpointSettings:
    return EndpointSettings(
        name=table.name,
        model=table.model,
        entity=table.entity or ENTITY,
        timestamp=table.timestamp or TIMESTAMP,
        keyed=table.entity is not None,
        label=_label(table.label) if table.label else None,
        features=tuple(table.features),
        serving=serving_settings(table.batching, table.limits, table.edge, table.fallback, table.record),
        slo=slo_settings(table.slo),
        rollout=_rollout(table.rollout) if table.rollout else None,
        monitor=monitor_settings(table.monitor),
        retrain=retrain_settings(table.retrain) if table.retrain else None,
        value=value_settings(table.value) if table.value else None,
        owner=table.owner,
        runbook=table.runbook,
    )


def _label(table: LabelTable) -> LabelSettings:
    return LabelSettings(column=table.column, horizon=table.horizon, observed=table.observed)


def _rollout(table: RolloutTable) -> RolloutPlan:
    return RolloutPlan(
        steps=tuple(table.steps),
        loss_margin=table.loss_margin,
        latency_margin=table.latency_margin,
        alpha=table.alpha,
        deadline=table.deadline,
        min_labels=table.min_labels,
    )
