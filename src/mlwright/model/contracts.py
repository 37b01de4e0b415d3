"""A data contract as a value: the part of ODCS v3.1 that mlwright enforces, and what a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a broken rule means for the data set."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Action(StrEnum):
    """What is done with the rows that break a rule."""

    REJECT = "reject"
    DROP = "drop"
    KEEP = "keep"


class Availability(StrEnum):
    """When the value of a column is known, relative to the prediction."""

    PREDICTION = "prediction"
    LATER = "later"


class RuleKind(StrEnum):
    """What a rule looks at."""

    PRESENT = "present"
    TYPE = "type"
    NULLS = "nulls"
    DUPLICATES = "duplicates"
    RANGE = "range"
    VALUES = "values"
    PATTERN = "pattern"
    ROW_COUNT = "row_count"
    FRESHNESS = "freshness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One property of an ODCS schema object."""

    name: str
    logical_type: str
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    max_length: int | None = None
    valid_values: tuple[str, ...] = ()
    availability: Availability = Availability.PREDICTION
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that must hold.

    The measured number (rows, or percent of rows when ``unit`` is ``percent``) must lie in
    ``[lowest, highest]``, or outside of it when ``outside`` is set. What counts as a failing row is said by ``kind``
    with ``minimum`` and ``maximum`` (both ends are allowed; instants are microseconds UTC), ``values`` (the valid
    ones; for NULLS: further values that mean "missing") and ``pattern`` (has to match the whole text).
    """

    id: str
    kind: RuleKind
    columns: tuple[str, ...]
    lowest: float | None = None
    highest: float | None = 0.0
    unit: str = "rows"
    severity: Severity = Severity.ERROR
    action: Action = Action.REJECT
    remedy: str = ""
    path: str = ""
    outside: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str | float | bool, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a data set promises.

    ``not_enforced`` names what the file says and mlwright does not check, so that nobody counts on it.
    """

    id: str
    version: str
    dataset: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    timestamp: str | None = None
    source: str = ""
    not_enforced: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one rule measured.

    ``examples`` are up to five 0-based row numbers. ``dropped`` counts the rows that were removed for this rule;
    ``remedied`` says that the admitted rows keep it for that reason.
    """

    rule: Rule
    passed: bool
    measured: float
    failing_rows: int
    examples: tuple[int, ...] = ()
    detail: str = ""
    dropped: int = 0
    remedied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractReport:
    """What a check of one data set found, and what was done about it.

    ``not_measured`` names the rules that could not be measured, and why: they are unknown, not kept.
    """

    dataset: str
    contract: str
    rows: int
    admitted: int
    results: tuple[RuleResult, ...]
    not_measured: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no rule of severity error is broken, apart from those that dropping rows has remedied."""
        return not self.refusing

    @property
    def refusing(self) -> tuple[RuleResult, ...]:
        """The broken rules of severity error that nothing was done about."""
        return tuple(
            result
            for result in self.results
            if not result.passed and not result.remedied and result.rule.severity is Severity.ERROR
        )

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that do not hold, of any severity."""
        return tuple(result for result in self.results if not result.passed)
