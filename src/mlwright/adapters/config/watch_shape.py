"""The tables of ``mlwright.toml`` that say what is watched, who is told, and what retraining a decay sets going."""

from typing import Annotated, Literal

from pydantic import Field

from mlwright.adapters.config.kinds import (
    Approval,
    Cadence,
    ColumnName,
    Duration,
    History,
    Name,
    Table,
    Trigger,
)
from mlwright.model.watch_settings import MonitorSettings, RetrainSettings, SloSettings

Level = Literal["page", "ticket", "info"]
_RETRAIN = RetrainSettings(pipeline="")


class SloTable(Table):
    """What the endpoint promises to its callers."""

    latency_p99: Duration = SloSettings().latency_p99
    availability: Annotated[float, Field(gt=0, lt=1)] = SloSettings().availability
    throughput: Annotated[float | None, Field(gt=0, description="Requests a second that it keeps up.")] = None
    freshness: Annotated[
        Duration | None, Field(description="The greatest age of the features that it answers with.")
    ] = None
    quality: Annotated[
        float | None, Field(description="The least value of the monitored metric; for losses the greatest.")
    ] = None
    window: Duration = SloSettings().window


class MonitorTable(Table):
    """What is measured, and when realised quality counts as decayed."""

    metric: Annotated[str, Field(min_length=1, examples=["auc", "brier", "f1", "mae", "ndcg@10"])] = "auc"
    window: Duration = MonitorSettings().window
    tolerance: Annotated[float, Field(gt=0)] = MonitorSettings().tolerance
    level: Annotated[float, Field(gt=0.5, lt=1)] = MonitorSettings().level
    task: Literal["binary", "classes", "regression", "ranking"] = "binary"
    threshold: Annotated[float, Field(description="From which score on a binary answer counts as yes.")] = (
        MonitorSettings().threshold
    )
    slices: Annotated[
        list[ColumnName], Field(description="Features by which quality is looked at apart.")
    ] = []
    cluster: Annotated[
        ColumnName | None, Field(description="Column whose rows are not independent of each other.")
    ] = None
    group: Annotated[
        ColumnName | None, Field(description="Column of the query or user that a ranking is for.")
    ] = None
    skew_rows: Annotated[
        int, Field(ge=0, description="Served rows that are recomputed offline at each look.")
    ] = MonitorSettings().skew_rows
    skew_limit: Annotated[
        float, Field(ge=0, lt=1, description="Share of them that may differ before a ticket is opened.")
    ] = MonitorSettings().skew_limit
    joint_every: Annotated[
        Cadence,
        Field(description="Over which stretches all features are compared together, a second each; or off."),
    ] = MonitorSettings().joint_every


class RetrainTable(Table):
    """What starts a retraining, on which windows of history, and who approves its winner."""

    pipeline: Annotated[
        str, Field(pattern=r"^[A-Za-z_]\w*$", description="The name of a @pipeline function.")
    ]
    on: Annotated[list[Trigger], Field(min_length=1)] = ["performance", "schedule:monthly"]
    windows: Annotated[list[History], Field(min_length=1)] = ["all"]
    cooldown: Duration = _RETRAIN.cooldown
    gate_window: Duration = _RETRAIN.gate_window
    gate_level: Annotated[
        float, Field(gt=0.5, lt=1, description="How sure the gate must be that a candidate is better.")
    ] = _RETRAIN.gate_level
    gate_gain: Annotated[
        float, Field(ge=0, lt=1, description="By how much a candidate must be better to be worth a change.")
    ] = _RETRAIN.gate_gain
    approval: Annotated[
        Approval, Field(description="auto, manual, or manual for some triggers only: 'manual:drift,data'.")
    ] = "auto"
    new_rows: Annotated[
        int,
        Field(ge=0, description="Labelled rows since the last retraining that the trigger 'data' waits for."),
    ] = 0
    drift_share: Annotated[
        float,
        Field(gt=0, le=1, description="Share of features that must have moved for the trigger 'drift'."),
    ] = _RETRAIN.drift_share
    drift_days: Annotated[int, Field(ge=1)] = _RETRAIN.drift_days
    budget_runs: Annotated[
        int, Field(ge=0, description="Retrainings within budget_window at most; 0: any number.")
    ] = 0
    budget_time: Annotated[
        Duration | None, Field(description="Time of pipelines within budget_window at most.")
    ] = None
    budget_window: Duration = _RETRAIN.budget_window


class OutcomesTable(Table):
    """What each outcome is worth."""

    true_positive: float | None = None
    false_positive: float | None = None
    true_negative: float | None = None
    false_negative: float | None = None
    right: float | None = None
    wrong: float | None = None
    error: Annotated[float | None, Field(description="Of each unit of absolute error.")] = None


class ValueTable(OutcomesTable):
    """What one answer is worth once the truth is known, in money; the business page adds it up."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
    amount: Annotated[
        ColumnName | None, Field(description="A feature that multiplies the worth, such as an order's value.")
    ] = None


class NotifyTable(Table):
    """Where alerts go besides the page."""

    kind: Literal["log", "webhook", "alertmanager", "slack", "pagerduty", "opsgenie", "email"]
    name: Annotated[Name | None, Field(description="What escalations call it; the kind unless given.")] = None
    url: Annotated[
        str | None,
        Field(
            description="As env:NAME or file:PATH if it is secret; of e-mail: smtp://host:port or smtps://…"
        ),
    ] = None
    key: Annotated[
        str | None,
        Field(
            description="env:NAME or file:PATH: PagerDuty's routing key, Opsgenie's key, 'user:password' of SMTP."
        ),
    ] = None
    to: Annotated[list[str], Field(description="Addresses of e-mail.")] = []
    sender: Annotated[str | None, Field(description="The address that e-mail comes from.")] = None
    levels: Annotated[
        list[Level], Field(description="Of which alerts it hears; empty: of pages and tickets.")
    ] = []
    endpoints: Annotated[list[str], Field(description="Of whose alerts it hears; empty: of all.")] = []


class EscalationStepTable(Table):
    """Who is told, and how long after the alert fired."""

    after: Annotated[
        str,
        Field(
            pattern=r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*$",
            description="Since the alert fired; '0s' is at once.",
        ),
    ]
    to: Annotated[list[str], Field(min_length=1, description="Names of notify tables.")]


class EscalationTable(Table):
    """Who hears of alerts of one level, in which order, until somebody acknowledges."""

    level: Level
    steps: Annotated[list[EscalationStepTable], Field(min_length=1)]
    endpoints: list[str] = []
    repeat: Annotated[Duration | None, Field(description="Tell the last step again so often.")] = None
