"""What a contract says of single values, as far as it can be held at the moment of the prediction."""

from dataclasses import dataclass

from mlwright.model.contracts import Action, Contract, Rule, RuleKind, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRule:
    """What the values of one input may be; whatever is None or empty is not restricted.

    Both ends of the range are allowed; those of instants are microseconds since 1970 UTC. ``pattern`` has to match the
    whole text. A missing value breaks nothing but ``nullable``.
    """

    field: str
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str | float | bool, ...] = ()
    pattern: str | None = None
    max_length: int | None = None
    nullable: bool = True


def value_rules(contract: Contract) -> tuple[ValueRule, ...]:
    """The rules of a contract that speak of single values, in the order of its columns.

    Rules that allow a number or share of rows to break them, and warnings, say nothing of one row: they are left out.
    """
    found = []
    for column in contract.columns:
        mine = [rule for rule in contract.rules if rule.columns == (column.name,) and _of_each_row(rule)]
        lows = [rule.minimum for rule in mine if rule.kind is RuleKind.RANGE and rule.minimum is not None]
        highs = [rule.maximum for rule in mine if rule.kind is RuleKind.RANGE and rule.maximum is not None]
        patterns = [rule.pattern for rule in mine if rule.kind is RuleKind.PATTERN and rule.pattern]
        allowed = [rule.values for rule in mine if rule.kind is RuleKind.VALUES and rule.values]
        rule = ValueRule(
            field=column.name,
            minimum=max(lows, default=None),
            maximum=min(highs, default=None),
            allowed=allowed[0] if allowed else (),
            pattern=patterns[0] if patterns else None,
            max_length=column.max_length,
            nullable=not any(each.kind is RuleKind.NULLS for each in mine),
        )
        if rule != ValueRule(field=column.name):
            found.append(rule)
    return tuple(found)


def _of_each_row(rule: Rule) -> bool:
    return (
        rule.highest == 0.0
        and not rule.outside
        and rule.severity is Severity.ERROR
        and rule.action is not Action.KEEP
    )
