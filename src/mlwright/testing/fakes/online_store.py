"""Feature values in a dictionary of dictionaries."""

from collections.abc import Sequence
from datetime import timedelta

from mlwright.errors import DataError
from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows


class MemoryOnlineStore:
    """The reference: each answer looks through all instants of its key."""

    def __init__(self) -> None:
        self._views: dict[str, dict[tuple[str, ...], dict[int, dict[str, object]]]] = {}

    def write(self, view: FeatureView, rows: FeatureRows) -> int:
        """Add rows; see ``OnlineStore.write``."""
        lengths = {len(rows.keys), len(rows.times), *(len(each) for each in rows.columns.values())}
        if len(lengths) > 1 or set(rows.columns) != set(view.features):
            raise DataError("the rows are uneven, or not the view's features", where=view.name)
        if any(len(key) != len(view.entity) for key in rows.keys):
            raise DataError(f"a key does not have the parts {view.entity}", where=view.name)
        series = self._views.setdefault(view.name, {})
        for number, (key, time) in enumerate(zip(rows.keys, rows.times, strict=True)):
            values = {name: column[number] for name, column in rows.columns.items()}
            series.setdefault(tuple(key), {})[time] = values
        return len(rows.keys)

    def read(
        self, view: FeatureView, keys: Sequence[tuple[str, ...]], at: Sequence[int]
    ) -> dict[str, list[object]]:
        """What was known; see ``OnlineStore.read``."""
        if len(keys) != len(at):
            raise DataError(f"{len(keys)} keys and {len(at)} instants", where=view.name)
        ttl = view.ttl // timedelta(microseconds=1)
        found: list[dict[str, object]] = []
        for key, instant in zip(keys, at, strict=True):
            series = self._views.get(view.name, {}).get(tuple(key), {})
            latest = max((time for time in series if time <= instant), default=None)
            fresh = latest is not None and instant - latest <= ttl
            found.append(series[latest] if latest is not None and fresh else {})
        return {name: [values.get(name) for values in found] for name in view.features}
