"""The shape of the tables ``[[promotion]]``; see ``shape.py`` for the rest of the file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlwright.model.promotion import PromotionPolicy

_Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
_Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_POLICY = PromotionPolicy(model="")


class ApprovalTable(_Table):
    """How many of which people have to agree, in which role."""

    role: _Name
    by: Annotated[
        list[_Text],
        Field(min_length=1, description="Who may approve: accounts, or names in MLWRIGHT_ACTOR."),
    ]
    count: Annotated[int, Field(ge=1)] = 1


class PromotionTable(_Table):
    """What has to be shown before an alias of a model moves to another version."""

    model: Annotated[
        str,
        Field(min_length=1, description="A model's name; '*' is every model without a policy of its own."),
    ]
    alias: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] = _POLICY.alias
    gates: list[
        Literal["proof", "signature", "no-pickle", "signed", "evaluation", "calibration", "slices", "rollout"]
    ] = ["proof"]
    approvals: list[ApprovalTable] = []
    metric: Literal["auc", "brier"] = "auc"
    tolerance: Annotated[
        float, Field(ge=0, lt=1, description="The loss of the metric that still counts as no worse.")
    ] = _POLICY.tolerance
    level: Annotated[float, Field(gt=0.5, lt=1, description="The confidence of each gate.")] = _POLICY.level
    min_rows: Annotated[int, Field(ge=1)] = _POLICY.min_rows
    slices: Annotated[
        list[_Text], Field(description="Columns of the held-out rows; 'hour' is that of the instant.")
    ] = []
    slice_tolerance: Annotated[float, Field(ge=0, lt=1)] = _POLICY.slice_tolerance
    slice_min_rows: Annotated[int, Field(ge=1)] = _POLICY.slice_min_rows
    calibration_tolerance: Annotated[float, Field(ge=0, lt=1, description="In units of the Brier score.")] = (
        _POLICY.calibration_tolerance
    )
    four_eyes: Annotated[
        bool, Field(description="Whoever registered a version cannot be the only one who approves it.")
    ] = True
    override: Annotated[
        list[_Text],
        Field(description="Who may promote although a gate did not pass; it is written down."),
    ] = []
