"""Small things that the serving tests are made of: a log that a test fills, and an endpoint on fakes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlwright.model.batches import Array, Batch
from mlwright.model.endpoints import Route, Variant
from mlwright.model.features import FeatureView
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.predictions import LabelBlock
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.stages.serving.asks import Ask
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.serving.rows import plain_values
from mlwright.testing.fakes.clock import ManualClock
from mlwright.testing.fakes.online_store import MemoryOnlineStore

NOON = 1_364_817_600_000_000  # 2013-04-01 12:00 UTC
HOUR = 3_600_000_000


@dataclass
class Echo:
    """A model whose score says who scored what: the version, and the row's x as a fraction.

    ``broken`` is raised by every call, ``poison`` by a batch that has this x. ``kinds`` are the types of the inputs
    that are no doubles. ``vector`` adds an output of two numbers a row.
    """

    version: int
    names: tuple[str, ...] = ("x",)
    broken: Exception | None = None
    poison: float | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    vector: bool = False
    seen: list[Mapping[str, Sequence[object]]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    closed: int = 0

    @property
    def signature(self) -> Signature:
        outputs = (Field(name="score", type="double"),)
        if self.vector:
            outputs = (*outputs, Field(name="pair", type="double", shape=(2,)))
        return Signature(
            inputs=tuple(Field(name=name, type=self.kinds.get(name, "double")) for name in self.names),
            outputs=outputs,
        )

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        assert not self.closed, "a closed model was asked"
        self.batches.append(batch)
        self.seen.append({name: plain_values(batch.column(name)) for name in self.names if batch.has(name)})
        if self.broken is not None:
            raise self.broken
        x = np.nan_to_num(batch.column("x").astype(np.float64))
        if self.poison is not None and (x == self.poison).any():
            raise RuntimeError("poison")
        score = self.version + x / 1000
        return (
            {"score": score, "pair": np.stack([score, -score], axis=1)} if self.vector else {"score": score}
        )

    def close(self) -> None:
        self.closed += 1


def _variant(name: str, version: int, share: float) -> Variant:
    return Variant(name=name, model=ModelName("m"), version=version, share=share)


def _route(*variants: Variant, generation: int = 1) -> Route:
    return Route(endpoint=EndpointName("delay"), generation=generation, salt="grain", variants=variants)


def _block(request: str, rows: int = 3, **changes: object) -> PredictionBlock:
    values: dict[str, object] = {
        "endpoint": "delay",
        "variant": "champion",
        "model_version": "m/1",
        "generation": 1,
        "logged_at": NOON,
        "latency_us": 900,
        "prediction_ids": [f"{request}.{row}" for row in range(rows)],
        "entity_keys": [f"flight {row}" for row in range(rows)],
        "event_times": [NOON + row * HOUR for row in range(rows)],
        "served": [True] * rows,
        "scores": [row / 10 for row in range(rows)],
        "features": {"x": [float(row) for row in range(rows)], "origin": ["JFK"] * rows},
    }
    return PredictionBlock(**{**values, **changes})  # type: ignore[arg-type]


def _labels(ids: Sequence[str], values: Sequence[float], **changes: object) -> LabelBlock:
    fields: dict[str, object] = {
        "endpoint": "delay",
        "received_at": NOON + 10 * HOUR,
        "prediction_ids": list(ids),
        "entity_keys": [],
        "labels": list(values),
        "observed_at": [NOON + 9 * HOUR] * len(values),
    }
    return LabelBlock(**{**fields, **changes})  # type: ignore[arg-type]


def _ask(keys: Sequence[str], request: str = "r", **inputs: object) -> Ask:
    """Columns by name, x unless it is given; None leaves a column out."""
    columns: dict[str, Any] = {"x": [float(row) for row in range(len(keys))], **inputs}
    sent = {name: column for name, column in columns.items() if column is not None}
    return Ask(id=request, rows=len(keys), columns=sent, keys=list(keys), times=[NOON] * len(keys))


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """Builders of values: variant, route, block, labels, ask, Echo; and the instants they use."""
    return SimpleNamespace(
        variant=_variant,
        route=_route,
        block=_block,
        labels=_labels,
        ask=_ask,
        Echo=Echo,
        noon=NOON,
        hour=HOUR,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def journal(tmp_path: Path, clock: ManualClock) -> Journal:
    return Journal(tmp_path, clock)


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(tmp_path)


@pytest.fixture
def models() -> dict[int, Echo]:
    """Models by version; a version that is not here cannot be loaded."""
    return {1: Echo(1), 2: Echo(2), 3: Echo(3)}


@pytest.fixture
def spec() -> EndpointSettings:
    return EndpointSettings(
        name="delay",
        model="m@champion",
        entity="flight",
        timestamp="predicted_at",
        label=LabelSettings(column="late", horizon=timedelta(hours=12)),
        features=("weather",),
    )


@pytest.fixture
def view() -> FeatureView:
    return FeatureView(
        name="weather",
        dataset="weather",
        entity=("origin",),
        timestamp="at",
        features=("wind", "rain"),
        ttl=timedelta(hours=6),
    )


@pytest.fixture
def online() -> MemoryOnlineStore:
    return MemoryOnlineStore()


@pytest.fixture
def core(
    spec: EndpointSettings,
    view: FeatureView,
    online: MemoryOnlineStore,
    models: dict[int, Echo],
    journal: Journal,
    clock: ManualClock,
) -> EndpointCore:
    load: Callable[[Variant], Echo] = lambda variant: models[variant.version]  # noqa: E731
    return EndpointCore(spec, [view], online, load, journal, clock)
