"""Rollouts: the plan, the state, the evidence and the verdict."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mlwright.model.ids import EndpointName, ModelName, RolloutId


class Verdict(StrEnum):
    """What the evidence says at this moment."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLLBACK = "ROLLBACK"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


class RolloutState(StrEnum):
    """Where a rollout stands in its life."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self is not RolloutState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStep:
    """One stage of a rollout: the share of entities that the challenger answers, and for how long at least."""

    share: float
    at_least: timedelta

    @property
    def name(self) -> str:
        """``shadow`` or the share in percent."""
        return "shadow" if self.share == 0 else f"{self.share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """How a challenger earns its place.

    ``loss_margin`` is the largest rise of the mean loss (Brier score of a probability) that still counts as
    no worse; ``latency_margin`` the largest relative rise of the share of slow answers; ``alpha`` the chance of a
    wrong rollback over the whole rollout; ``deadline`` the longest time before it ends INCONCLUSIVE.
    """

    steps: tuple[RolloutStep, ...]
    loss_margin: float = 0.005
    latency_margin: float = 0.2
    alpha: float = 0.05
    deadline: timedelta = timedelta(days=21)
    min_labels: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """One test of a rollout: its statistic, its limit and what it says.

    ``lower`` and ``upper`` bound the difference challenger − champion at all times at once (anytime-valid);
    ``e_value`` is the evidence against "no harm" (reject at 1/alpha).
    """

    name: str
    n: int
    estimate: float | None
    lower: float | None
    upper: float | None
    e_value: float | None
    limit: float
    verdict: Verdict
    assumption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutVerdict:
    """The verdict at one instant with every test behind it, negative results included."""

    at: datetime
    verdict: Verdict
    reason: str
    guardrails: tuple[Guardrail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A challenger on its way to replace a champion behind one endpoint."""

    id: RolloutId
    endpoint: EndpointName
    model: ModelName
    champion: int
    challenger: int
    plan: RolloutPlan
    state: RolloutState
    step: int
    started: datetime
    step_started: datetime
    ended: datetime | None = None
    last: RolloutVerdict | None = None
    history: tuple[RolloutVerdict, ...] = field(default=())
