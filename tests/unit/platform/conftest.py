"""A small project on fakes: its past is a Parquet file, its endpoint a log that a test fills a day at a time."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate
from mlwright.model.contracts import Action, Availability, Column, Contract, Rule, RuleKind
from mlwright.model.features import FeatureView
from mlwright.model.instants import to_micros
from mlwright.model.predictions import LabelBlock
from mlwright.model.rollouts import RolloutPlan, RolloutStep
from mlwright.model.settings import DatasetSettings, EndpointSettings, LabelSettings, Settings
from mlwright.model.watch_settings import MonitorSettings, RetrainSettings
from mlwright.model.windows import day_start
from mlwright.platform.facade import Platform
from mlwright.platform.parts import Parts
from mlwright.ports.runtimes import scores_of
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.tracking import environment
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock
from mlwright.testing.fakes.executor import InlineExecutor
from mlwright.testing.fakes.learner import SmoothLearner
from mlwright.testing.fakes.notifier import RecordingNotifier
from mlwright.testing.fakes.online_store import MemoryOnlineStore
from mlwright.testing.fakes.runtimes import LinearRuntime

BIRTH = datetime(2013, 1, 1, tzinfo=UTC)
OPEN = datetime(2013, 3, 1, tzinfo=UTC)
"""When the endpoint begins to answer: two months of history stand behind it."""
TURN = datetime(2013, 4, 1, tzinfo=UTC)
"""From here on lateness follows the wind and not x: a model of the past decays."""
DAYS, A_DAY = 180, 150
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

PIPELINE = """
from datetime import date
from mlwright import Fitted, evaluate, examples, gate, log, pipeline, register, split, step
from mlwright.model.registry import Field
from mlwright.testing.fakes.runtimes import LinearModel

FIELDS = tuple(Field(name=name, type="double") for name in ("x", "wind"))

@step
def train(rows, strength: float = 4.0) -> Fitted:
    late = rows["late"].cast(float)
    slopes = {name: strength * float((rows[name] * (late - late.mean())).mean()) for name in ("x", "wind")}
    return Fitted(model=LinearModel(weights=slopes, bias=-0.1), inputs=FIELDS)

@pipeline
def train_delay(start: date, end: date, holdout: str = "14d", floor: float = 0.6, strength: float = 4.0):
    rows = examples(endpoint="delay", dataset="flights", inputs=["origin", "x"], start=start, end=end)
    fit, hold = split(rows, last=holdout, by="predict_at")
    scores = evaluate(train(fit, strength), hold)
    log(params={"recipe": "slopes"}, metrics={"fit_rows": fit.height})
    gate(scores.auc > floor, f"AUC above {floor}")
    return register(train(rows, strength), "delay", evidence=scores, trained_on=rows)

@step
def explode() -> None:
    raise RuntimeError("the oven is cold")

@pipeline
def burn() -> None:
    explode()
"""


def flights() -> pl.DataFrame:
    """The whole past and future, one row a flight; the label is known two hours after the prediction."""
    random = np.random.default_rng(5)
    rows = DAYS * A_DAY
    minutes = np.arange(rows) * (24 * 60 / A_DAY)
    x, wind, luck = random.normal(size=rows), random.normal(size=rows), random.random(rows)
    signal = np.where(np.arange(rows) // A_DAY < (TURN - BIRTH).days, x, wind)
    return pl.DataFrame(
        {
            "flight_id": [f"f{number:05d}" for number in range(rows)],
            "predict_at": pl.Series([BIRTH + timedelta(minutes=each) for each in minutes]),
            "origin": ["JFK"] * rows,
            "x": x,
            "late": luck < 1 / (1 + np.exp(-2.0 * signal)),
            "wind_then": wind,
        }
    ).with_columns(arrived=pl.col("predict_at") + 2 * HOUR)


PAST = flights()
# Half an hour before each flight the wind is measured: what the endpoint may look up.
WEATHER = PAST.select("origin", seen_at=pl.col("predict_at") - timedelta(seconds=1), wind="wind_then")


def contract() -> Contract:
    """x may be missing, such rows are dropped; the label and its instant come later."""
    kinds = {"flight_id": "string", "predict_at": "timestamp", "origin": "string", "x": "number"}
    later = {"late": "boolean", "arrived": "timestamp", "wind_then": "number"}
    return Contract(
        id="flights",
        version="1.0.0",
        dataset="flights",
        timestamp="predict_at",
        columns=(
            *(Column(name=name, logical_type=kind) for name, kind in kinds.items()),
            *(
                Column(name=name, logical_type=kind, availability=Availability.LATER)
                for name, kind in later.items()
            ),
        ),
        rules=(Rule(id="x_known", kind=RuleKind.NULLS, columns=("x",), action=Action.DROP),),
    )


def settings(root: Path) -> Settings:
    """The project's settings, every stage in use."""
    step = timedelta(days=2)
    return Settings(
        name="airport",
        root=root,
        state=root / ".mlwright",
        database=f"sqlite:///{root / 'state.db'}",
        artifacts="memory",
        seed=3,
        datasets=(
            DatasetSettings(name="flights", source="flights.parquet", contract="flights"),
            DatasetSettings(name="weather", source="weather.parquet"),
        ),
        feature_views=(
            FeatureView(
                name="weather_at_origin",
                dataset="weather",
                entity=("origin",),
                timestamp="seen_at",
                features=("wind",),
                ttl=HOUR,
            ),
        ),
        endpoints=(
            EndpointSettings(
                name="delay",
                model="delay@champion",
                entity="flight_id",
                timestamp="predict_at",
                label=LabelSettings(column="late", horizon=12 * HOUR, observed="arrived"),
                features=("weather_at_origin",),
                rollout=RolloutPlan(
                    steps=(RolloutStep(share=0.0, at_least=step), RolloutStep(share=0.5, at_least=step)),
                    loss_margin=0.01,
                    min_labels=300,
                ),
                monitor=MonitorSettings(tolerance=0.05),
                retrain=RetrainSettings(
                    pipeline="train_delay", windows=("all", "12d"), cooldown=21 * DAY, gate_window=5 * DAY
                ),
            ),
        ),
    )


@dataclass
class Project:
    """A platform with the engines that a test may look into."""

    root: Path
    settings: Settings
    clock: ManualClock = field(default_factory=lambda: ManualClock(OPEN))
    notifier: RecordingNotifier = field(default_factory=RecordingNotifier)
    artifacts: MemoryArtifactStore = field(default_factory=MemoryArtifactStore)
    contract: Contract = field(default_factory=contract)
    platform: Platform = field(init=False)
    block: PredictionBlock = field(init=False)
    """What was last served by the champion."""

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> Platform:
        """A new platform on the same state, as after a restart."""
        shelf = ModelShelf(artifacts=self.artifacts, runtimes=(LinearRuntime(),), cache=self.root / "cache")
        self.platform = Platform(
            Parts(
                settings=self.settings,
                engine=open_engine(self.settings.database),
                artifacts=self.artifacts,
                online=MemoryOnlineStore(),
                shelf=shelf,
                executor=InlineExecutor(),
                clock=self.clock,
                notifiers=(self.notifier,),
                log=PredictionLog(self.root / "log"),
                read_contract=lambda _: self.contract,
                actor="tester",
                learner=SmoothLearner(),
            )
        )
        return self.platform

    def again(self) -> "Project":
        """Open the project as a new process would that finds another pipeline file."""
        for name in [
            name for name, module in sys.modules.items() if self.root in Path(module_file(module)).parents
        ]:
            del sys.modules[name]
        self.open()
        return self

    def change(self, **endpoint: object) -> Platform:
        """Open the project again with other settings of its endpoint."""
        changed = replace(self.settings.endpoints[0], **endpoint)  # type: ignore[arg-type]
        self.settings = replace(self.settings, endpoints=(changed,))
        return self.open()

    def train(self, **params: object) -> str:
        """Run the pipeline on everything known by now; returns the new version's reference."""
        given = {"start": BIRTH, "end": self.clock.now(), **params}
        return self.platform.training.run("train_delay", given).tags["model"]

    def serve(
        self,
        day: datetime,
        days: int = 1,
        *,
        label: bool = True,
        distort: Callable[[str, np.ndarray], np.ndarray] = lambda _, scores: scores,
        shift: float = 0.0,
    ) -> None:
        """Answer all flights of some days by the route in force, and send their labels two hours later.

        ``distort`` may change the scores of a variant, given its name; ``shift`` is added to the logged x alone.
        """
        rows = self.flown(day, days)
        route = self.platform.releases.status("delay").route
        assert route is not None
        keys = rows["flight_id"].to_list()
        seen = {"x": rows["x"].to_list(), "wind": rows["wind_then"].to_list()}
        answered_by = [route.variant_of(key).name for key in keys]
        blocks = []
        for place, variant in enumerate(route.variants):
            scores = np.array(scores_of(self.platform.releases.load_variant(variant), seen))
            blocks.append(
                PredictionBlock(
                    endpoint="delay",
                    variant=variant.name,
                    model_version=f"{variant.model}/{variant.version}",
                    generation=route.generation,
                    logged_at=to_micros(day),
                    latency_us=900,
                    prediction_ids=[f"p-{key}" for key in keys],
                    entity_keys=keys,
                    event_times=rows["predict_at"].dt.epoch("us").to_list(),
                    served=[name == variant.name for name in answered_by],
                    scores=distort(variant.name, scores).tolist(),
                    features={**seen, "x": (rows["x"] + shift).to_list()} if place == 0 else {},
                )
            )
        self.block = blocks[0]
        self.log(*blocks)
        if label:
            self.label(rows)

    def log(self, *blocks: PredictionBlock | LabelBlock) -> None:
        """Write blocks to the log, as an inference process does."""
        journal = Journal(self.root / "log", self.clock)
        journal.append(*blocks)
        journal.close()

    def label(self, rows: pl.DataFrame, **changes: object) -> None:
        """Send the truth about some flights."""
        seen = rows["arrived"].dt.epoch("us").to_list()
        block = LabelBlock(
            endpoint="delay",
            received_at=seen[-1],
            prediction_ids=[],
            entity_keys=rows["flight_id"].to_list(),
            labels=rows["late"].cast(float).to_list(),
            observed_at=seen,
        )
        self.log(replace(block, **changes))  # type: ignore[arg-type]

    def flown(self, day: datetime, days: int = 1) -> pl.DataFrame:
        """The flights of some days."""
        return PAST.filter(pl.col("predict_at").is_between(day, day + days * DAY, closed="left"))

    def live(self, days: int, **how: object) -> None:
        """Let days pass: each is served, and the loop turns at 13:00 of the day after it."""
        for _ in range(days):
            today = day_start(self.clock.now())
            self.serve(today, **how)  # type: ignore[arg-type]
            self.wind(today + DAY + 13 * HOUR)
            self.platform.tick()

    def wind(self, until: datetime) -> None:
        """Let time pass up to an instant."""
        self.clock.advance(until - self.clock.now())


def module_file(module: ModuleType) -> str:
    """Where a module came from, or nothing."""
    return getattr(module, "__file__", None) or ""


@dataclass(frozen=True)
class Seed:
    """A project as it was when its platform was closed, to be planted in any folder."""

    folder: Path
    artifacts: MemoryArtifactStore

    def plant(self, folder: Path) -> Project:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        copy = MemoryArtifactStore()
        copy.blobs, copy.folders = dict(self.artifacts.blobs), dict(self.artifacts.folders)
        return Project(folder, settings(folder), artifacts=copy)


@pytest.fixture(scope="session", autouse=True)
def packages_once() -> Iterator[None]:
    """Which packages are installed is found out once, not in every run: it takes longer than the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "_packages", cache(environment._packages))
        yield


@pytest.fixture(scope="session")
def seeds(packages_once: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seed]:
    """Projects that took a second to make: ``empty``, ``released`` and ``timid`` (see the fixtures below)."""
    folder = tmp_path_factory.mktemp("empty")
    engine = open_engine(f"sqlite:///{folder / 'state.db'}")
    migrate(engine, backups=folder, at=BIRTH)
    engine.dispose()
    (folder / "pipeline.py").write_text(PIPELINE)
    PAST.write_parquet(folder / "flights.parquet")
    WEATHER.write_parquet(folder / "weather.parquet")
    made = {"empty": Seed(folder, MemoryArtifactStore())}
    for name, strengths in (("released", [4.0]), ("timid", [1.0, 6.0])):
        project = made["empty"].plant(tmp_path_factory.mktemp(name))
        refs = [project.train(strength=each) for each in strengths]
        project.platform.releases.deploy("delay", refs[0])
        project.platform.parts.engine.dispose()
        made[name] = Seed(project.root, project.artifacts)
    return made


@pytest.fixture
def plant(seeds: dict[str, Seed], tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Makes the test's own copy of a seed."""
    planted: list[Project] = []

    def one(name: str) -> Project:
        planted.append(seeds[name].plant(tmp_path))
        return planted[0]

    yield one
    for project in planted:
        project.platform.parts.engine.dispose()


@pytest.fixture
def project(plant: Callable[[str], Project]) -> Project:
    """The project on the day its endpoint opens; nothing is trained yet."""
    return plant("empty")


@pytest.fixture
def released(plant: Callable[[str], Project]) -> Project:
    """The same with a model behind the endpoint: delay/1."""
    return plant("released")


@pytest.fixture
def timid(plant: Callable[[str], Project]) -> Project:
    """The same with a champion that says too little, delay/1, and beside it delay/2, which dares to; no retraining."""
    project = plant("timid")
    project.change(retrain=None)
    return project
