"""Calls of the MLflow protocol about assessments of traces."""

from typing import Any, Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.trace_wire import AssessmentWire, assessment_from_wire, assessment_to_wire
from mlwright.errors import BadRequest
from mlwright.model.traces import AssessmentChange
from mlwright.platform.tracking.facade import TrackingPlatform

_PATH: Final = "3.0/mlflow/traces/{trace_id}/assessments"
_FIELDS: Final = ("assessment_name", "expectation", "feedback", "rationale", "metadata", "valid")


class _Create(msgspec.Struct):
    assessment: AssessmentWire


class _Update(msgspec.Struct):
    assessment: AssessmentWire
    update_mask: str | dict[str, list[str]]


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    came = assessment_from_wire(asked.parse(_Create).assessment, asked.path["trace_id"])
    return {"assessment": assessment_to_wire(tracking.annotations.assess(came))}


def _find(tracking: TrackingPlatform, asked: Asked) -> object:
    found = tracking.annotations.find_assessment(asked.path["trace_id"], asked.path["assessment_id"])
    return {"assessment": assessment_to_wire(found)}


def _change(tracking: TrackingPlatform, asked: Asked) -> object:
    trace, id = asked.path["trace_id"], asked.path["assessment_id"]
    changed = tracking.annotations.change_assessment(trace, id, _change_of(asked.parse(_Update), trace))
    return {"assessment": assessment_to_wire(changed)}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.annotations.delete_assessment(asked.path["trace_id"], asked.path["assessment_id"])
    return {}


def _change_of(came: _Update, trace: str) -> AssessmentChange:
    """What an update asks for: only the fields of its mask count."""
    mask = came.update_mask
    paths = mask.get("paths", []) if isinstance(mask, dict) else mask.split(",")
    # JSON writes the paths of a mask in camel case.
    asked = {
        "".join(f"_{each.lower()}" if each.isupper() else each for each in path.strip()) for path in paths
    }
    if unknown := sorted(asked.difference(_FIELDS, {""})):
        raise BadRequest(f"an assessment has no field {unknown[0]!r} to change", where="update_mask")
    new: Any = came.assessment
    judges = asked & {"expectation", "feedback"}
    return AssessmentChange(
        name=new.assessment_name if "assessment_name" in asked else None,
        rationale=new.rationale if "rationale" in asked else None,
        metadata=new.metadata if "metadata" in asked else None,
        valid=new.valid if "valid" in asked else None,
        judgement=assessment_from_wire(new, trace) if judges else None,
    )


CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=_PATH, handler=_create, writes=True),
    Call(method="GET", path=f"{_PATH}/{{assessment_id}}", handler=_find),
    Call(method="PATCH", path=f"{_PATH}/{{assessment_id}}", handler=_change, writes=True),
    Call(method="DELETE", path=f"{_PATH}/{{assessment_id}}", handler=_delete, writes=True),
)
