"""A rollout to judge, and evidence in which only what a test names is unusual."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlwright.model.ids import EndpointName, ModelName, RolloutId
from mlwright.model.rollouts import Rollout, RolloutPlan, RolloutStep
from mlwright.stages.rollouts.evidence import Counts, Evidence
from mlwright.stages.rollouts.machine import start

START = datetime(2013, 7, 1, tzinfo=UTC)
PLAN = RolloutPlan(
    steps=(
        RolloutStep(share=0.0, at_least=timedelta(days=2)),
        RolloutStep(share=0.1, at_least=timedelta(days=2)),
        RolloutStep(share=0.5, at_least=timedelta(days=3)),
    )
)


@pytest.fixture
def rollout() -> Rollout:
    return start(
        id=RolloutId("ro-1"),
        endpoint=EndpointName("delay"),
        model=ModelName("flight-delay"),
        champion=3,
        challenger=4,
        plan=PLAN,
        now=START,
    )


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    def make(*, hours: int = 168, shift: float = 0.0, spread: float = 0.02, **changes: object) -> Evidence:
        rng = np.random.default_rng(1)
        champion = rng.uniform(0.1, 0.3, hours * 10)
        noise = rng.normal(0, spread, champion.size)
        rows = champion.size
        values: dict[str, object] = {
            "champion_loss": champion,
            "challenger_loss": champion + noise - noise.sum() / max(rows, 1) + shift,
            "clusters": np.repeat(np.arange(hours), 10),
            "share": 0.5,
            "assigned": Counts(champion=rows // 2, challenger=rows - rows // 2),
            "calls": Counts(champion=rows, challenger=rows),
            "failed": Counts(),
            "slow": Counts(champion=10, challenger=10),
            "rows": rows,
            "unpaired": 0,
            "not_finite": Counts(),
            "disagreement": 0.05,
        }
        return Evidence(**(values | changes))  # type: ignore[arg-type]

    return make
