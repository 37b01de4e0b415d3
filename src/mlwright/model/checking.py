"""What is looked at of served data while labels are not there yet: contract, freshness, volume, and skew by key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mlwright.model.ids import EndpointName
from mlwright.model.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSkew:
    """How often one served feature is not what is computed again offline for the same key and instant.

    ``share`` is of the rows that could be computed; ``lower`` and ``upper`` bound it (Wilson, 95 %). ``mechanism`` is a
    hint in the words of ``Suspect`` (``offset``, ``scale``, ``lag``, ``missing`` …); "" where none differs.
    """

    column: str
    rows: int
    differs: int
    share: float
    lower: float
    upper: float
    mechanism: str = ""
    text: str = ""
    factor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewReport:
    """Served features against the same computed again offline. ``not_done`` says what could not be, and why."""

    endpoint: EndpointName
    window: Window
    rows: int
    columns: tuple[ColumnSkew, ...] = ()
    not_done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Values of one field outside of the contract, by what is wrong with them."""

    column: str
    what: str
    rows: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old the newest value of a feature view is, and how old it may be (its ttl)."""

    view: str
    age: timedelta
    limit: timedelta

    @property
    def stale(self) -> bool:
        """Whether it is older than it may be."""
        return self.age > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How many rows one day had, and how many days like it had before; ``unusual`` says which way, or is empty."""

    rows: int
    usual: float
    lower: float
    upper: float
    days: int
    unusual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuality:
    """What was found of one endpoint's served data in one window, without any label."""

    endpoint: EndpointName
    at: datetime
    window: Window
    rows: int
    violations: tuple[Violation, ...] = ()
    flagged: float = 0.0
    """Share of rows with at least one value outside of the contract."""
    degraded: float = 0.0
    """Share of rows that a fallback answered."""
    ages: tuple[Age, ...] = ()
    volume: Volume | None = None
    skew: SkewReport | None = None
    missing: Mapping[str, float] = field(default_factory=dict)
    """Share of missing values by feature."""
