"""From the tables of :mod:`watch_shape` to settings."""

from datetime import timedelta

from mlwright.adapters.config.references import Resolver
from mlwright.adapters.config.watch_shape import (
    EscalationTable,
    MonitorTable,
    NotifyTable,
    OutcomesTable,
    RetrainTable,
    SloTable,
    ValueTable,
)
from mlwright.model.durations import parse_duration
from mlwright.model.watch_settings import (
    EscalationSettings,
    EscalationStep,
    MonitorSettings,
    NotifySettings,
    RetrainSettings,
    SloSettings,
    ValueSettings,
)


def slo_settings(table: SloTable) -> SloSettings:
    """What is promised."""
    return SloSettings(**table.model_dump())


def monitor_settings(table: MonitorTable) -> MonitorSettings:
    """What is measured."""
    return MonitorSettings(**{**table.model_dump(), "slices": tuple(table.slices)})


def retrain_settings(table: RetrainTable) -> RetrainSettings:
    """What starts a retraining."""
    return RetrainSettings(
        **{
            **table.model_dump(),
            "on": tuple(table.on),
            "windows": tuple(table.windows),
            "budget_time": table.budget_time or timedelta(0),
        }
    )


def value_settings(table: ValueTable) -> ValueSettings:
    """What an answer is worth."""
    worth = {name: getattr(table, name) for name in OutcomesTable.model_fields}
    return ValueSettings(
        currency=table.currency,
        outcomes={name: value for name, value in worth.items() if value is not None},
        amount=table.amount,
    )


def notify_settings(tables: list[NotifyTable], resolver: Resolver) -> tuple[NotifySettings, ...]:
    """The channels; a secret that cannot be read is a fault of the resolver."""
    return tuple(
        NotifySettings(
            kind=table.kind,
            name=table.name or table.kind,
            url=resolver.channel(table.kind, table.url, f"notify[{number}].url"),
            key=resolver.secret(table.key, f"notify[{number}].key"),
            to=tuple(table.to),
            sender=table.sender,
            levels=tuple(table.levels),
            endpoints=tuple(table.endpoints),
        )
        for number, table in enumerate(tables)
    )


def escalation_settings(tables: list[EscalationTable]) -> tuple[EscalationSettings, ...]:
    """Who hears of what, and when."""
    return tuple(
        EscalationSettings(
            level=table.level,
            steps=tuple(
                EscalationStep(after=parse_duration(step.after), to=tuple(step.to)) for step in table.steps
            ),
            endpoints=tuple(table.endpoints),
            repeat=table.repeat,
        )
        for table in tables
    )
