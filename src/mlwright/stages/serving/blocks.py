"""What the prediction log is made of, as serving processes write it and readers get it back.

Blocks are made for every batch, so they are msgspec structs (0.4 µs) and not dataclasses (3.5 µs).
"""

import msgspec


class PredictionBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The log's record of one batch and one variant: every row scored, and which rows it answered.

    The rows may come from several requests. Every list has one value a row; those that say so may be empty.
    ``latency_us`` is the time the model took for the whole block, in microseconds; ``logged_at`` is in microseconds
    since 1970 UTC.
    """

    endpoint: str
    variant: str
    model_version: str
    generation: int
    logged_at: int
    latency_us: int
    prediction_ids: list[str]
    entity_keys: list[str]
    """Empty: the prediction ids stand in for them."""
    event_times: list[int]
    """Empty: ``logged_at`` stands in for all of them."""
    served: list[bool]
    """False where the variant only shadowed. Empty: it answered every row."""
    scores: list[float]
    """The one number that the model gives a row; empty where it gives something else."""
    features: dict[str, list[object]] = {}
    """Inputs by name, unless they are in ``matrix``. Both are empty for every variant but the first: all variants see
    the same features."""
    error: str | None = None
    matrix: bytes = b""
    """The inputs called ``names`` as little-endian floats of 8 or 4 bytes, row by row (``array.tobytes()`` of shape
    (rows, len(names)), C-contiguous); NaN is missing. A third cheaper to log than lists."""
    names: tuple[str, ...] = ()
    outputs: dict[str, list[object]] = {}
    """Outputs by name where the model gives something else than one number a row: numbers, texts, lists of them."""
    flags: list[str] = []
    """What was accepted or imputed although it is outside the contract, one text a row (empty: nothing); empty where no
    row has any."""
    degraded: str | None = None
    """Why a fallback answered, where one did."""
    weight: float = 1.0
    """How many predictions each row stands for: over 1 where only a sample is logged."""


class ScoredBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A PredictionBlock without inputs and outputs: half the time to decode when only scores are asked for."""

    endpoint: str
    variant: str
    model_version: str
    generation: int
    logged_at: int
    latency_us: int
    prediction_ids: list[str]
    entity_keys: list[str]
    event_times: list[int]
    served: list[bool]
    scores: list[float | None]
    error: str | None = None
    flags: list[str] = []
    degraded: str | None = None
    weight: float = 1.0


class LoggedBlock(ScoredBlock, frozen=True, kw_only=True, gc=False):
    """A PredictionBlock as the journal gives it back: a score that is not a number is missing."""

    features: dict[str, list[object]] = {}
    matrix: bytes = b""
    names: tuple[str, ...] = ()
    outputs: dict[str, list[object]] = {}


def sound(block: ScoredBlock) -> bool:
    """Whether every column of a block has one value a row, or none where it may have none."""
    rows = len(block.prediction_ids)
    if (block.entity_keys and len(block.entity_keys) != rows) or (block.scores and len(block.scores) != rows):
        return False
    if (block.event_times and len(block.event_times) != rows) or (block.served and len(block.served) != rows):
        return False
    if block.flags and len(block.flags) != rows:
        return False
    if not isinstance(block, LoggedBlock):
        return True
    if block.matrix and len(block.matrix) not in (8 * rows * len(block.names), 4 * rows * len(block.names)):
        return False
    return all(
        len(column) == rows
        for columns in (block.features, block.outputs)
        if columns
        for column in columns.values()
    )
