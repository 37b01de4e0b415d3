"""Measure a frame against a contract, and admit the rows that may be used.

All counting rules are one ``select``, so that polars shares columns and cores between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from mlwright.errors import ContractBroken, Fault, near_match
from mlwright.model.contracts import Action, Contract, ContractReport, Rule, RuleKind, RuleResult
from mlwright.model.durations import format_duration
from mlwright.model.instants import from_micros
from mlwright.stages.contracts.masks import Unmeasurable, about_rows, failing, type_fits

_EXAMPLES = 5
_SHOWN = 60


def check(contract: Contract, frame: pl.DataFrame, *, now: datetime | None = None) -> ContractReport:
    """Measure every rule of the contract on the frame.

    Duplicates are counted as surplus rows: of three rows with one key, two. A rule whose column is absent or
    has the wrong type is named in ``not_measured``, and the PRESENT or TYPE rule of that column is broken
    instead.

    Args:
        contract: what must hold.
        frame: rows in any order; ``examples`` are 0-based positions in it.
        now: aware; without it FRESHNESS is not measured.
    """
    measured, not_measured = [], []
    counted: list[tuple[Rule, pl.Expr]] = []
    for rule in contract.rules:
        try:
            if about_rows(rule):
                _require_measurable(rule, contract, frame.schema)
                counted.append((rule, failing(rule, contract, frame.schema)))
            else:
                measured.append(_measure_frame(rule, contract, frame, now))
        except Unmeasurable as why:
            not_measured.append(f"{rule.id}: {why}")
    measured += _measure_rows(counted, frame)
    order = {rule.id: place for place, rule in enumerate(contract.rules)}
    return ContractReport(
        dataset=contract.dataset,
        contract=f"{contract.id}@{contract.version}",
        rows=frame.height,
        admitted=frame.height,
        results=tuple(sorted(measured, key=lambda result: order[result.rule.id])),
        not_measured=tuple(not_measured),
    )


def admit(
    contract: Contract, frame: pl.DataFrame, *, now: datetime | None = None
) -> tuple[pl.DataFrame, ContractReport]:
    """Check the frame and remove the rows that break a rule whose action is DROP.

    Of duplicates the first stays, counted after all other removals. A DROP rule with a limit of zero is
    remedied by that. A limit above zero bounds how much may be dropped: beyond it the rule stays broken.
    KEEP and REJECT rows all stay; whether they refuse the data is for :func:`require`.

    Returns:
        The admitted rows in their order, and the report on the frame as it came.
    """
    report = check(contract, frame, now=now)
    dropping = [
        result for result in report.results if result.rule.action is Action.DROP and result.failing_rows > 0
    ]
    dropping.sort(key=lambda result: result.rule.kind is RuleKind.DUPLICATES)
    dropped: dict[str, int] = {}
    for result in dropping:
        before = frame.height
        frame = frame.filter(~failing(result.rule, contract, frame.schema))
        dropped[result.rule.id] = before - frame.height
    results = tuple(_with_drops(result, dropped) for result in report.results)
    return frame, replace(report, admitted=frame.height, results=results)


def require(report: ContractReport) -> None:
    """Refuse data that breaks a rule of severity error.

    Raises:
        ContractBroken: with one fault for each broken rule that dropping rows has not remedied.
    """
    broken = report.refusing
    if not broken:
        return
    raise ContractBroken(
        f"{len(broken)} rule{'s' if len(broken) > 1 else ''} of the contract {report.contract} "
        f"{'do' if len(broken) > 1 else 'does'} not hold",
        where=f"dataset {report.dataset}",
        why="a rule of severity error refuses the data; a rule may also say severity: warning, "
        "or the custom property action: drop",
        next_command=f"mlwright check {report.dataset}",
        faults=[Fault(where=result.rule.path or result.rule.id, what=_explain(result)) for result in broken],
    )


def describe_limit(rule: Rule) -> str:
    """What the rule asks of its measured number, in words: ``exactly 0 rows``, ``at most 5 percent``.

    >>> describe_limit(Rule(id="r", kind=RuleKind.NULLS, columns=("a",), highest=5.0, unit="percent"))
    'at most 5 percent'
    """
    low, high, unit = rule.lowest, rule.highest, rule.unit
    if rule.kind is RuleKind.FRESHNESS:
        low, high, unit = None, rule.highest, "seconds"
    if low is not None and high is not None:
        text = f"exactly {low:.10g}" if low == high else f"between {low:.10g} and {high:.10g}"
    elif low is not None:
        text = f"at least {low:.10g}"
    elif high == 0 and not rule.outside:
        text = "exactly 0"
    else:
        text = f"at most {high:.10g}" if high is not None else "any number of"
    return f"{'not ' if rule.outside else ''}{text} {unit}"


@dataclass(frozen=True, slots=True)
class _Count:
    rule: Rule
    mask: pl.Expr
    failing: int


def _measure_rows(counted: Sequence[tuple[Rule, pl.Expr]], frame: pl.DataFrame) -> list[RuleResult]:
    if not counted:
        return []
    sums = frame.select(mask.sum().alias(str(place)) for place, (_, mask) in enumerate(counted)).row(0)
    counts = [_Count(rule, mask, int(total)) for (rule, mask), total in zip(counted, sums, strict=True)]
    shown = {count.rule.id: count.mask for count in counts if count.failing}
    examples: dict[str, tuple[int, ...]] = {}
    if shown:
        found = frame.select(
            mask.arg_true().head(_EXAMPLES).implode().alias(name) for name, mask in shown.items()
        )
        examples = {name: tuple(found[name][0].to_list()) for name in shown}
    return [_count_result(count, frame, examples.get(count.rule.id, ())) for count in counts]


def _count_result(count: _Count, frame: pl.DataFrame, examples: tuple[int, ...]) -> RuleResult:
    rule, rows = count.rule, frame.height
    share = 100.0 * count.failing / rows if rows else 0.0
    noun = {
        RuleKind.NULLS: "without a value",
        RuleKind.DUPLICATES: "surplus",
        RuleKind.RANGE: "out of range",
        RuleKind.VALUES: "not valid",
        RuleKind.PATTERN: "not of the pattern",
        RuleKind.TYPE: "of another type",
    }[rule.kind]
    detail = f"{count.failing:,} of {rows:,} rows {noun} ({share:.3g} %)"
    if rule.kind is RuleKind.TYPE and count.failing:
        detail += f"; the column holds {frame.schema[rule.columns[0]]}"
    if examples and rule.kind is not RuleKind.NULLS:
        held = tuple(frame[examples[0], name] for name in rule.columns)
        detail += f", as in {', '.join(repr(value)[:_SHOWN] for value in held)}"
    measured = share if rule.unit == "percent" else float(count.failing)
    return RuleResult(
        rule=rule,
        passed=_holds(rule, measured),
        measured=measured,
        failing_rows=count.failing,
        examples=examples,
        detail=detail,
    )


def _measure_frame(rule: Rule, contract: Contract, frame: pl.DataFrame, now: datetime | None) -> RuleResult:
    """Measure a rule about the frame as a whole."""
    if rule.kind is RuleKind.PRESENT:
        name = rule.columns[0]
        absent = name not in frame.schema
        near = near_match(name, set(frame.columns) - {column.name for column in contract.columns})
        hint = f"; did you mean {near!r}?" if near else ""
        detail = f"the data has no column {name!r}{hint}" if absent else "the column is there"
        measured = float(absent)
    elif rule.kind is RuleKind.ROW_COUNT:
        measured, detail = float(frame.height), f"{frame.height:,} rows"
    else:
        measured, detail = _age(rule, frame, now)
    return RuleResult(
        rule=rule, passed=_holds(rule, measured), measured=measured, failing_rows=0, detail=detail
    )


def _age(rule: Rule, frame: pl.DataFrame, now: datetime | None) -> tuple[float, str]:
    """Seconds from the newest value to now."""
    name = rule.columns[0]
    if now is None:
        raise Unmeasurable("no present instant was given")
    if not isinstance(frame.schema.get(name), (pl.Datetime, pl.Date)):
        raise Unmeasurable(f"the data has no column {name!r} of instants")
    newest = frame[name].dt.epoch("us").max()
    if not isinstance(newest, int):
        raise Unmeasurable(f"{name} holds no instant")
    age = now - from_micros(newest)
    return age.total_seconds(), f"the newest {name} is {format_duration(age)} old"


def _require_measurable(rule: Rule, contract: Contract, schema: pl.Schema) -> None:
    for name in rule.columns:
        if name not in schema:
            raise Unmeasurable(f"the data has no column {name!r}")
        column = contract.column(name)
        if rule.kind in (RuleKind.RANGE, RuleKind.VALUES, RuleKind.PATTERN) and column is not None:
            numeric = column.logical_type == "integer" and schema[name].is_float()
            if not numeric and not type_fits(schema[name], column.logical_type):
                raise Unmeasurable(f"{name} holds {schema[name]}, not {column.logical_type}")


def _holds(rule: Rule, measured: float) -> bool:
    inside = (rule.lowest is None or measured >= rule.lowest) and (
        rule.highest is None or measured <= rule.highest
    )
    return inside is not rule.outside


def _with_drops(result: RuleResult, dropped: dict[str, int]) -> RuleResult:
    if result.rule.id not in dropped:
        return result
    none_allowed = result.rule.highest == 0 and not result.rule.outside
    return replace(result, dropped=dropped[result.rule.id], remedied=not result.passed and none_allowed)


def _explain(result: RuleResult) -> str:
    text = result.detail if result.rule.kind is RuleKind.PRESENT else ""
    if not text:
        subject = ", ".join(result.rule.columns) or "rows"
        text = f"{subject}: {result.detail}; must be {describe_limit(result.rule)}"
    if result.examples:
        text += f"; first at row {', '.join(str(row) for row in result.examples)}"
    return text
