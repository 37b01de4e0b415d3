"""Conditions of a search for traces as expressions of SQL. Values are always bound, never part of the text."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, not_, or_

from mlwright.errors import Unsupported, UsageError
from mlwright.model.filters import Condition, Kind, Value
from mlwright.model.traces import NAME_TAG, RUN_METADATA
from mlwright.stages.tracking.search_terms import compare
from mlwright.stages.tracking.tables import runs
from mlwright.stages.tracking.trace_tables import (
    assessments,
    spans,
    trace_metadata,
    trace_prompts,
    trace_runs,
    trace_tags,
    traces,
)

_Expression: TypeAlias = ColumnElement[bool]

_PROMPTS: Final = "mlflow.linkedPrompts"
_LETTERS_MATCHED: Final = 1000
"""Of a value, by a regular expression in SQLite, where Python matches it and nothing else of ours runs meanwhile."""
_LOOPS: Final = 2
_ATTRIBUTE_PREFIX: Final = "attributes."

ATTRIBUTES: Final[dict[str, ColumnElement[Any]]] = {
    "request_id": traces.c.id,
    "status": traces.c.state,
    "client_request_id": traces.c.client_request,
    "timestamp_ms": traces.c.started_ms,
    "execution_time_ms": traces.c.duration_ms,
    "end_time_ms": traces.c.started_ms + func.coalesce(traces.c.duration_ms, 0),
    "experiment_id": traces.c.experiment,
}
"""By the name that they have in a filter."""

_SPAN_COLUMNS: Final = {"name": spans.c.name, "type": spans.c.kind, "status": spans.c.status}


def to_expressions(tx: Connection, conditions: Sequence[Condition]) -> list[_Expression]:
    """What a row of the table of traces must meet. All conditions on spans must be met by one and the same span.

    Raises:
        UsageError: a pattern or the name of a prompt cannot be used.
        Unsupported: a regular expression is asked of attributes of spans.
    """
    of_spans = [_of_span(tx, each) for each in conditions if each.kind is Kind.SPAN]
    found = [_of_trace(tx, each) for each in conditions if each.kind is not Kind.SPAN]
    if of_spans:
        found.append(exists().where(spans.c.trace == traces.c.number, *of_spans))
    return found


def _of_trace(tx: Connection, condition: Condition) -> _Expression:
    key, comparator, value = condition.key, condition.comparator, condition.value
    match condition.kind:
        case Kind.ATTRIBUTE:
            found = _compare(tx, ATTRIBUTES[key], comparator, value)
        case Kind.TAG if key == NAME_TAG:
            found = _compare(tx, traces.c.name, comparator, value)
        case Kind.TAG if key == _PROMPTS:
            found = _of_prompt(comparator, value)
        case Kind.TAG:
            found = _of_texts(tx, trace_tags, condition)
        case Kind.METADATA if key == RUN_METADATA and comparator in ("=", "IN"):
            linked = exists().where(
                trace_runs.c.trace == traces.c.number,
                trace_runs.c.run == runs.c.number,
                _compare(tx, runs.c.id, comparator, value),
            )
            found = or_(_of_texts(tx, trace_metadata, condition), linked)
        case Kind.METADATA:
            found = _of_texts(tx, trace_metadata, condition)
        case Kind.ISSUE:
            found = _of_assessment(tx, "issue", assessments.c.name == value)
        case Kind.FEEDBACK | Kind.EXPECTATION:
            found = _of_judgement(tx, condition)
        case _:
            raise Unsupported(f"traces cannot be searched by {condition.kind.value}")
    return found


def _of_texts(tx: Connection, table: Table, condition: Condition) -> _Expression:
    mine = (table.c.trace == traces.c.number, table.c.key == condition.key)
    if condition.comparator == "IS NULL":
        return not_(exists().where(*mine))
    if condition.comparator == "IS NOT NULL":
        return exists().where(*mine)
    return exists().where(*mine, _compare(tx, table.c.value, condition.comparator, condition.value))


def _of_prompt(comparator: str, value: Value) -> _Expression:
    if comparator != "=" or not isinstance(value, str) or value.count("/") != 1:
        raise UsageError("a prompt is named with its version: prompt = 'name/1'", where="filter")
    name, _, version = value.partition("/")
    mine = (trace_prompts.c.trace == traces.c.number, trace_prompts.c.name == name)
    return exists().where(*mine, trace_prompts.c.version == version)


def _of_judgement(tx: Connection, condition: Condition) -> _Expression:
    kind, comparator, value = condition.kind.value, condition.comparator, condition.value
    named = assessments.c.name == condition.key
    if comparator == "IS NULL":
        return not_(_of_assessment(tx, kind, named, valid_only=True))
    if comparator == "IS NOT NULL":
        return _of_assessment(tx, kind, named, valid_only=True)
    column = assessments.c.value
    if comparator[0] in "<>":
        met = _compare(tx, assessments.c.figure, comparator, value)
    else:
        # The value is JSON: a text stands in quotes there, a number or true and false do not.
        quoted = json.dumps(value, ensure_ascii=False)
        if comparator in ("=", "!="):
            met = column.in_([value, quoted])
        else:
            met = or_(
                _compare(tx, column, comparator, value),
                _compare(tx, func.substr(column, 2, func.length(column) - 2), comparator, value),
            )
        met = not_(met) if comparator == "!=" else met
    return _of_assessment(tx, kind, named, met, valid_only=True)


def _of_assessment(tx: Connection, kind: str, *met: _Expression, valid_only: bool = False) -> _Expression:
    mine = [assessments.c.trace == traces.c.number, assessments.c.kind == kind, *met]
    return exists().where(*mine, *([assessments.c.valid.is_(True)] if valid_only else []))


def _of_span(tx: Connection, condition: Condition) -> _Expression:
    key, comparator, value = condition.key, condition.comparator, condition.value
    if key in _SPAN_COLUMNS:
        return _compare(tx, _SPAN_COLUMNS[key], comparator, value)
    if not key.startswith(_ATTRIBUTE_PREFIX):
        return _compare(tx, spans.c.content, comparator, value)
    name = key.removeprefix(_ATTRIBUTE_PREFIX).strip('`"')
    # Attributes stand in the content as "name": "JSON of the value", itself a text of JSON.
    head = json.dumps(name, ensure_ascii=False)
    if comparator in ("LIKE", "ILIKE"):
        # What follows the name, as MLflow has it, or the whole of a text.
        patterns = (f"%{head}{value}%", f'%{head}: "\\"{value}\\""%')
        return or_(*(compare(tx, spans.c.content, comparator, each) for each in patterns))
    if comparator == "RLIKE":
        raise Unsupported(
            f"span.{key} cannot be compared by RLIKE", next_command=f"use span.{key} LIKE '%…%'"
        )
    values = value if isinstance(value, tuple) else (str(value),)
    any_of = or_(*(_holds(tx, f"{head}: {text}") for each in values for text in _stored(each)))
    if comparator in ("=", "IN"):
        return any_of
    return and_(_holds(tx, f"{head}: "), not_(any_of))


def _stored(value: str) -> tuple[str, str]:
    """How an attribute with this value stands in the content, were it a text, and were it a number."""
    as_text = json.dumps(value, ensure_ascii=False)
    return json.dumps(as_text, ensure_ascii=False), as_text


def _holds(tx: Connection, text: str) -> _Expression:
    found = func.strpos if tx.dialect.name == "postgresql" else func.instr
    expression: _Expression = found(spans.c.content, text) > 0
    return expression


def _compare(tx: Connection, column: ColumnElement[Any], comparator: str, value: Value) -> _Expression:
    if comparator == "IS NULL":
        return column.is_(None)
    if comparator == "IS NOT NULL":
        return column.is_not(None)
    if comparator != "RLIKE":
        return compare(tx, column, comparator, value)
    return func.substr(column, 1, _LETTERS_MATCHED).regexp_match(_harmless(str(value)))


def _harmless(pattern: str) -> str:
    """The regular expression, when matching it takes a bearable time whatever the text.

    Raises:
        UsageError: it is none, or could take for ever.
    """
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)
    loops = len(re.findall(r"[*+]|\{\d*,?\d*\}", plain))
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as fault:
        raise UsageError(f"{pattern[:80]!r} is not a regular expression: {fault}", where="filter") from fault
    if len(pattern) > 500 or loops > _LOOPS or re.search(r"\)[*+{]|\(\?|\\\d", plain + pattern):
        raise UsageError(
            "this regular expression could take for ever",
            where="filter",
            why=f"at most {_LOOPS} of * + {{}} are taken, and none behind a group; LIKE has no such limit",
        )
    return pattern
