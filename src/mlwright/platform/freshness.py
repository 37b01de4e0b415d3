"""Up to which instant feature views have values: noted when they are written, read when their age is asked for."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mlwright.model.instants import from_micros
from mlwright.stages.ledger import store as ledger

_MARK = "features-newest:{view}"


def note_newest(tx: Connection, view: str, newest: int) -> None:
    """Note up to which instant (µs since 1970, UTC) a feature view has values; an earlier one changes nothing."""
    name = _MARK.format(view=view)
    before = ledger.get_mark(tx, name)
    if before is None or newest > int(before):
        ledger.set_mark(tx, name, str(newest))


def ages_of(tx: Connection, views: Iterable[str], now: datetime) -> dict[str, timedelta]:
    """How old the newest value of each view is; a view that was not written since this is noted is left out."""
    ages: dict[str, timedelta] = {}
    for view in views:
        mark = ledger.get_mark(tx, _MARK.format(view=view))
        if mark is not None:
            ages[view] = max(now - from_micros(int(mark)), timedelta(0))
    return ages
