"""Promotion policies: which gates a model version has to pass, and who has to agree, before an alias moves to it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mlwright.model.evidence import Outcome, overall
from mlwright.model.ids import ModelName
from mlwright.model.plain import plain

ANY_MODEL = "*"


class Gate(StrEnum):
    """What a policy can ask of a version."""

    PROOF = "proof"
    """It was loaded and scored in an environment made from its own requirements."""
    SIGNATURE = "signature"
    """What it takes and gives is said, and its input example keeps to it."""
    NO_PICKLE = "no-pickle"
    """No file of it runs code when it is loaded."""
    SIGNED = "signed"
    """Somebody with a known key signed its files."""
    EVALUATION = "evaluation"
    """It is shown to be no worse than the champion on rows that neither was trained on."""
    CALIBRATION = "calibration"
    """Its probabilities are shown to be no worse calibrated there."""
    SLICES = "slices"
    """In no slice of those rows it is shown to be worse."""
    ROLLOUT = "rollout"
    """A rollout beside the champion ended well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """How many of which people have to agree, in which role."""

    role: str
    by: tuple[str, ...]
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """What has to be shown before ``alias`` of ``model`` moves (``*``: of every model without a policy of its own).

    ``tolerance`` is the loss of ``metric`` that still counts as no worse, ``slice_tolerance`` the one in a slice;
    ``calibration_tolerance`` is in units of the Brier score. ``level`` is the confidence of each gate. With
    ``four_eyes`` the one who registered a version cannot be the only one who approves it. ``override`` names who may
    promote although a gate did not pass.
    """

    model: str
    alias: str = "champion"
    gates: tuple[Gate, ...] = (Gate.PROOF,)
    approvals: tuple[Approval, ...] = ()
    metric: str = "auc"
    tolerance: float = 0.01
    level: float = 0.95
    min_rows: int = 500
    slices: tuple[str, ...] = ()
    slice_tolerance: float = 0.03
    slice_min_rows: int = 200
    calibration_tolerance: float = 0.002
    four_eyes: bool = True
    override: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Twelve digits that change with the policy: evidence of other rules is none."""
        text = json.dumps(plain(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have to approve."""
        return tuple(each.role for each in self.approvals)


def policy_for(policies: Sequence[PromotionPolicy], model: str, alias: str) -> PromotionPolicy | None:
    """The policy that guards an alias of a model: its own, else that of every model, else none."""
    guarding = [each for each in policies if each.alias == alias and each.model in (model, ANY_MODEL)]
    return min(guarding, key=lambda each: each.model == ANY_MODEL, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate found. ``next_command`` is what to type where it did not pass."""

    gate: str
    """One of :class:`Gate`, or ``approval:ROLE``."""
    outcome: Outcome
    summary: str
    next_command: str | None = None
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What all gates of a policy say of one version. Without a policy nothing is asked."""

    model: ModelName
    version: int
    alias: str
    policy: PromotionPolicy | None
    champion: str | None
    """Where the alias points now, as ``name/3``; None where it points nowhere."""
    results: tuple[GateResult, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What all gates come to."""
        if self.policy is None:
            return Outcome.PASSED
        return overall([each.outcome for each in self.results]) if self.results else Outcome.PASSED

    @property
    def ref(self) -> str:
        """``name/version``."""
        return f"{self.model}/{self.version}"

    @property
    def refused(self) -> tuple[GateResult, ...]:
        """The gates that did not pass."""
        return tuple(each for each in self.results if each.outcome is not Outcome.PASSED)
