"""How two model versions differ, as values."""

from dataclasses import dataclass

from mlwright.model.monitoring import Estimate
from mlwright.model.registry import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that has one value in the one version and another in the other; None where it is not there."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsMetric:
    """How much better a version is than another on the same rows, which neither was trained on.

    A positive difference favours the later version, also where less of the metric is better.
    """

    name: str
    difference: Estimate
    rows: int
    days: int
    held_out_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """``after`` against ``before``.

    ``same_rows`` is empty where they could not be scored on the same rows; ``not_compared`` says why. ``compatible``
    says whether whoever calls ``before`` can call ``after`` (None where a signature is not known), ``breaks`` why not.
    """

    before: ModelVersion
    after: ModelVersion
    params: tuple[Change, ...]
    data: tuple[Change, ...]
    environment: tuple[Change, ...]
    packages: tuple[Change, ...]
    metrics: tuple[Change, ...]
    same_rows: tuple[RowsMetric, ...]
    not_compared: str | None
    signature: tuple[Change, ...]
    compatible: bool | None
    breaks: tuple[str, ...]
    evidence: tuple[Change, ...]
    size: Change
