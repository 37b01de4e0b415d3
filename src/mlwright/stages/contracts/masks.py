"""Which rows break a rule, as polars expressions.

A mask is never null. Null values break NULLS rules only (as in SQL, a null is neither out of range nor a
duplicate), and NaN counts as null in a column of floating-point numbers.
"""

import polars as pl

from mlwright.model.contracts import Contract, Rule, RuleKind

_ROW_KINDS = frozenset(
    {RuleKind.TYPE, RuleKind.NULLS, RuleKind.DUPLICATES, RuleKind.RANGE, RuleKind.VALUES, RuleKind.PATTERN}
)


class Unmeasurable(Exception):
    """The rule cannot be put to this column; the text says why."""


def failing(rule: Rule, contract: Contract, schema: pl.Schema) -> pl.Expr:
    """The mask of the rows that break the rule.

    Args:
        rule: a rule about rows, all of whose columns are in ``schema``.
        contract: where the logical type of the column is looked up.
        schema: the columns of the frame with their polars types.

    Raises:
        Unmeasurable: the column has a type to which the rule does not apply.
    """
    name = rule.columns[0]
    if rule.kind is RuleKind.DUPLICATES:
        return _surplus(rule.columns, schema)
    if rule.kind is RuleKind.TYPE:
        column = contract.column(name)
        return _mistyped(name, schema[name], column.logical_type if column else "")
    if rule.kind is RuleKind.NULLS:
        return _missing(rule, schema[name])
    if rule.kind is RuleKind.RANGE:
        return _out_of_range(rule, schema[name])
    return _invalid(rule, schema[name])


def about_rows(rule: Rule) -> bool:
    """Whether single rows can break the rule."""
    return rule.kind in _ROW_KINDS


def type_fits(dtype: pl.DataType, logical: str) -> bool:
    """Whether every value of the polars type is one of the ODCS logical type.

    An integer is also a number; a column of nothing but nulls (``pl.Null``) has any type. A text that looks
    like a number is not one.
    """
    if dtype == pl.Null:
        return True
    if logical == "integer":
        return dtype.is_integer()
    if logical == "number":
        return dtype.is_numeric()
    bases: dict[str, tuple[type[pl.DataType], ...]] = {
        "string": (pl.String, pl.Categorical, pl.Enum),
        "boolean": (pl.Boolean,),
        "timestamp": (pl.Datetime,),
        "date": (pl.Date,),
        "time": (pl.Time,),
        "object": (pl.Struct,),
        "array": (pl.List, pl.Array),
    }
    return isinstance(dtype, bases.get(logical, pl.DataType))


def _values(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column with NaN as null."""
    return pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)


def _mistyped(name: str, dtype: pl.DataType, logical: str) -> pl.Expr:
    """Non-null values that are not of the logical type.

    Whole numbers in a float column count as integers: it is what pandas makes of an integer column with gaps.
    """
    if type_fits(dtype, logical):
        return pl.lit(False)
    value = _values(name, dtype)
    if logical == "integer" and dtype.is_float():
        return (value.is_infinite() | (value != value.floor())).fill_null(False)
    return value.is_not_null()


def _missing(rule: Rule, dtype: pl.DataType) -> pl.Expr:
    name = rule.columns[0]
    absent = _values(name, dtype).is_null()
    if not rule.values or dtype == pl.Null:
        return absent
    return absent | _among(name, dtype, rule.values).fill_null(False)


def _surplus(columns: tuple[str, ...], schema: pl.Schema) -> pl.Expr:
    """Every row but the first of those that share a key; a key with a null in it equals no other."""
    keys = [_values(name, schema[name]) for name in columns]
    known = pl.all_horizontal([key.is_not_null() for key in keys])
    key = keys[0] if len(keys) == 1 else pl.struct(keys)
    return known & ~key.is_first_distinct()


def _out_of_range(rule: Rule, dtype: pl.DataType) -> pl.Expr:
    name = rule.columns[0]
    if dtype == pl.Null:
        return pl.lit(False)
    if not (dtype.is_numeric() or dtype in (pl.Date, pl.Datetime)):
        raise Unmeasurable(f"{name} holds {dtype}, which has no range")
    value = _values(name, dtype) if dtype.is_numeric() else pl.col(name).dt.epoch("us")
    below = value < rule.minimum if rule.minimum is not None else pl.lit(False)
    above = value > rule.maximum if rule.maximum is not None else pl.lit(False)
    return (below | above).fill_null(False)


def _invalid(rule: Rule, dtype: pl.DataType) -> pl.Expr:
    name = rule.columns[0]
    if dtype == pl.Null:
        return pl.lit(False)
    broken = pl.lit(False)
    if rule.values:
        broken = broken | ~_among(name, dtype, rule.values)
    if rule.pattern is not None:
        if not type_fits(dtype, "string"):
            raise Unmeasurable(f"{name} holds {dtype}, and a pattern needs text")
        broken = broken | ~pl.col(name).cast(pl.String).str.contains(rf"\A(?:{rule.pattern})\z")
    return broken.fill_null(False)


def _among(name: str, dtype: pl.DataType, values: tuple[str | float | bool, ...]) -> pl.Expr:
    if type_fits(dtype, "string"):
        return pl.col(name).cast(pl.String).is_in([value for value in values if isinstance(value, str)])
    if dtype.is_numeric():
        numbers = [float(value) for value in values if not isinstance(value, str)]
        return _values(name, dtype).cast(pl.Float64).is_in(numbers)
    if dtype == pl.Boolean:
        return pl.col(name).is_in([value for value in values if isinstance(value, bool)])
    raise Unmeasurable(f"{name} holds {dtype}; a list of values needs text, numbers or booleans")
