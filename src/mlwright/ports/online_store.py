"""Feature values at serving time. Open wire: Feast's HTTP ``/get-online-features``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlwright.model.features import FeatureView


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRows:
    """Rows of one feature view: keys, instants (µs since 1970, UTC) and columns, all of one length."""

    keys: Sequence[tuple[str, ...]]
    times: Sequence[int]
    columns: Mapping[str, Sequence[object]]


class OnlineStore(Protocol):
    """Answers "what was known of this entity at that instant", fast."""

    def write(self, view: FeatureView, rows: FeatureRows) -> int:
        """Add rows; of two rows with one key and instant the later written wins. Returns the rows written.

        Writing the same rows twice leaves the store as it was. A failed write changes nothing.

        Raises:
            DataError: keys, times and columns have different lengths, the columns are not the view's features, or a
                key has another number of parts than the view's entity.
        """
        ...

    def read(
        self, view: FeatureView, keys: Sequence[tuple[str, ...]], at: Sequence[int]
    ) -> dict[str, list[object]]:
        """The latest value at or before each instant, or None where it is older than the view's ttl.

        Returns one list for each of the view's features, in the order of ``keys``. An unknown key gives None. A
        latest value that is null gives None: earlier values are not carried forward.

        Raises:
            DataError: there are not as many instants as keys.
        """
        ...
