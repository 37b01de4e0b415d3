"""One request for predictions and its answer, as they pass between the doors, the batcher and the core.

They are made for every request, so they are msgspec structs (0.1 µs) and not dataclasses (1.2 µs): docs/decisions/0023.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, TypeAlias

import msgspec

from mlwright.errors import MlwrightError
from mlwright.model.batches import Array

Column: TypeAlias = list[Any] | Array
"""Plain values (None is a missing one), or an array whose first axis is the rows."""


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rows of one request, parsed but not yet held against the contract.

    Either ``columns`` holds inputs by name, each with ``rows`` values, or ``matrix`` holds all inputs of the model as
    numbers in the order of its signature: a list of rows, or an array of shape (rows, inputs).
    """

    id: str
    """Unique; the prediction id of row i is ``{id}.{i}``."""
    rows: int
    columns: Mapping[str, Column] = {}
    matrix: Sequence[Sequence[float]] | Array | None = None
    keys: Sequence[str] | None = None
    """The entity of each row, where the client named it."""
    times: Sequence[int] | None = None
    """The instant as of which each row is asked, microseconds since 1970 UTC, where the client named it."""
    deadline: float = inf
    """When it is too late to answer, in seconds of ``time.monotonic``."""
    client: str = ""
    """Who asks, for limits by client: an address."""
    trace: str = ""
    """The W3C ``traceparent`` header, where there was one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to one :class:`Ask`, row by row in its order."""

    id: str
    rows: int
    outputs: Mapping[str, Array]
    """The outputs of the model by name, in the order of its signature; the first axis is the rows."""
    variants: Sequence[str]
    """The variant that answered each row."""
    versions: Sequence[str]
    """``model/version`` that answered each row."""
    degraded: str | None = None
    """Why a fallback answered (``previous``, ``cached``, ``default``); None where the model did."""
    flags: Sequence[str] = ()
    """Values outside the contract that were accepted or imputed, as ``field[row]: what``."""

    @property
    def prediction_ids(self) -> list[str]:
        """One id a row: by it feedback names the prediction."""
        return [f"{self.id}.{row}" for row in range(self.rows)]


Outcome: TypeAlias = Answer | MlwrightError
