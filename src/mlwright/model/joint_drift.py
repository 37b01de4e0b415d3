"""How far all features of an endpoint moved together: what no single column shows."""

from dataclasses import dataclass
from datetime import datetime

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Estimate
from mlwright.model.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class JointColumn:
    """What one column contributes to telling two samples apart."""

    column: str
    importance: float | None = None
    """The area lost when the column is shuffled; None where it is no part of the table (see ``alone``)."""
    alone: Estimate | None = None
    """The area by this column alone, of embeddings and free text."""
    left_out: str = ""
    """Why nothing was asked of it; empty where something was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointDrift:
    """How well a classifier tells served rows of one window from the rows that the champion held out.

    It is context: it says that the rows differ, not that anything is worse, and nothing is decided by it.
    """

    endpoint: EndpointName
    window: Window
    reference: Window
    """The time of the champion's held-out rows."""
    version: str
    """The champion, as ``name/version``."""
    at: datetime
    rows: int
    """Served in the window."""
    reference_rows: int
    taken: tuple[int, int] = (0, 0)
    """Rows that the classifier took of the reference and of the window: a sample where there are many."""
    auc: Estimate | None = None
    """Held-out area of the classifier: 0.5 alike, 1 apart. None where nothing can be said; see ``note``."""
    usual: Estimate | None = None
    """The same between the end of the reference, as long as the window, and what was before it: how far rows of one
    quiet time lie apart. None where the reference has no instants or too few rows."""
    mmd: float | None = None
    """Unbiased squared maximum mean discrepancy; about 0, and possibly below it, where nothing moved."""
    mmd_p: float | None = None
    """By permutation of at most 400 rows a side, taken as independent."""
    columns: tuple[JointColumn, ...] = ()
    """The most important first, then embeddings and free text, then what was left out."""
    note: str = ""
    """Why there is no area."""
