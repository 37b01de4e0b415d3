"""The shape of what ``[[endpoint]]`` says about how it answers."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlwright.adapters.config.kinds import Duration, Size, Table
from mlwright.model.settings import (
    BatchingSettings,
    EdgeSettings,
    FallbackSettings,
    LimitSettings,
    RecordSettings,
    ServingSettings,
)

_BATCHING, _LIMITS, _EDGE = BatchingSettings(), LimitSettings(), EdgeSettings()


class BatchingTable(Table):
    """How requests of several clients are answered together."""

    mode: Annotated[
        Literal["auto", "inline", "thread", "window"],
        Field(description="auto: by the measured time of the model; window waits for more requests."),
    ] = "auto"
    max_rows: Annotated[int, Field(ge=1, le=100_000, description="The most rows of one batch.")] = (
        _BATCHING.max_rows
    )
    window: Annotated[Duration | None, Field(description="How long mode window waits for more.")] = None


class LimitsTable(Table):
    """What an endpoint takes at most, so that it keeps answering."""

    queue_rows: Annotated[
        int,
        Field(ge=0, description="Rows that wait or are scored in one process; more get 503. 0: no limit."),
    ] = _LIMITS.queue_rows
    client_rate: Annotated[
        float, Field(ge=0, description="Requests a second of one client; more get 429. 0: no limit.")
    ] = _LIMITS.client_rate
    client_burst: Annotated[
        int,
        Field(ge=0, description="Requests that a client may send at once; 0: what it may send in a second."),
    ] = _LIMITS.client_burst
    deadline: Annotated[
        Duration,
        Field(description="A request that waited so long is dropped before the model sees it (504)."),
    ] = _LIMITS.deadline
    body: Annotated[Size, Field(description="The largest body, as '8MiB' or in bytes; larger get 413.")] = (
        _LIMITS.body_bytes
    )


class EdgeTable(Table):
    """What happens to values outside the contract."""

    invalid: Annotated[
        Literal["reject", "impute", "flag"],
        Field(
            description="reject: a 4xx that names field and row; impute: replaced and flagged; flag: accepted."
        ),
    ] = "reject"
    impute: Annotated[
        dict[str, float | str | bool],
        Field(description="What stands in, by field; a field that is not named becomes missing."),
    ] = {}
    contract: Annotated[
        str | None,
        Field(description="An ODCS v3.1 file, relative to this file; default: the model's signature."),
    ] = None
    extra: Annotated[
        Literal["ignore", "reject"], Field(description="Fields that the model does not know.")
    ] = "ignore"


class FallbackTable(Table):
    """What answers, marked as degraded, when the model cannot."""

    to: Annotated[
        Literal["none", "previous", "cached", "default"],
        Field(
            description="previous: the version before; cached: the last answer to the same row; default: value."
        ),
    ] = "none"
    value: Annotated[float | str | None, Field(description="The answer of default, for each row.")] = None


class RecordTable(Table):
    """What of the predictions is kept."""

    sample: Annotated[float, Field(ge=0, le=1, description="The part of the predictions that is logged.")] = (
        1.0
    )
    mask: Annotated[list[str], Field(description="Columns of which only a keyed digest is kept.")] = []
    leave_out: Annotated[list[str], Field(description="Columns that are not kept.")] = []
    when_full: Annotated[
        Literal["drop", "refuse"],
        Field(description="drop: answer, count the loss and alert; refuse: 503 until there is room."),
    ] = "drop"


def serving_settings(
    batching: BatchingTable,
    limits: LimitsTable,
    edge: EdgeTable,
    fallback: FallbackTable,
    record: RecordTable,
) -> ServingSettings:
    """The tables as a value."""
    return ServingSettings(
        batching=BatchingSettings(
            mode=batching.mode, max_rows=batching.max_rows, window=batching.window or timedelta(0)
        ),
        limits=LimitSettings(
            queue_rows=limits.queue_rows,
            client_rate=limits.client_rate,
            client_burst=limits.client_burst,
            deadline=limits.deadline,
            body_bytes=limits.body,
        ),
        edge=EdgeSettings(**edge.model_dump()),
        fallback=FallbackSettings(**fallback.model_dump()),
        record=RecordSettings(
            sample=record.sample,
            mask=tuple(record.mask),
            leave_out=tuple(record.leave_out),
            when_full=record.when_full,
        ),
    )
