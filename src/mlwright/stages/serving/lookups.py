"""Inputs that a request does not send: feature views, as of the instant that each row is about."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Final

from mlwright.errors import BadRequest, Fault, near_match
from mlwright.model.features import FeatureView
from mlwright.model.registry import Field
from mlwright.ports.online_store import OnlineStore
from mlwright.stages.serving.asks import Ask, Column
from mlwright.stages.serving.rows import plain_values

_MOST_FAULTS: Final = 20


class Views:
    """The feature views of an endpoint, and where their values are."""

    def __init__(
        self, views: Sequence[FeatureView], online: OnlineStore | None, challengers: Collection[str] = ()
    ) -> None:
        """
        Args:
            views: those that may be used.
            online: where their values are; None: nowhere.
            challengers: inputs that no champion needs and a challenger cannot do without. Where one is missing, it is
                left out: the challenger shall fail, and not be judged by what it says to a value that is not there.
        """
        self._views = tuple(views)
        self._online = online
        self._challengers = frozenset(challengers)

    def complete(
        self, fields: Sequence[Field], given: Mapping[str, Column], total: int, times: Sequence[int], ask: Ask
    ) -> dict[str, Column]:
        """The columns of all fields: as sent, or else out of the feature views, or else missing.

        A column that was sent is taken as it is. Features are those known at each row's time.

        Args:
            fields: what the models take.
            given: what was sent, with entity and timestamp.
            total: how many rows.
            times: of each row, microseconds since 1970 UTC.
            ask: who asked; the first of several.

        Raises:
            BadRequest: an input is neither in the request nor in a view; the faults name all of them.
        """
        open_names = {each.name for each in fields if each.name not in given}
        found: dict[str, Column] = {}
        if open_names:
            for view in self._views:
                wanted = open_names.intersection(view.features)
                if wanted:
                    values = self._read(view, given, times, ask)
                    found.update({name: values[name] for name in wanted})
                    open_names -= wanted
            known = {each.name for each in fields}
            sent = [name for name in ask.columns if name not in known]
            missing = (each for each in fields if each.name in open_names and each.required)
            faults = [
                Fault(
                    where=each.name,
                    what=f"the model needs this {each.type}; it was not sent and no feature view has it",
                    near=near_match(each.name, sent),
                )
                for each in islice(missing, _MOST_FAULTS)
            ]
            if faults:
                raise BadRequest("inputs are missing", where=f"request {ask.id}", faults=faults)
        columns: dict[str, Column] = {}
        for each in fields:
            column = given.get(each.name, found.get(each.name))
            if column is not None:
                columns[each.name] = column
            elif not each.shape and each.name not in self._challengers:  # no tensor: that is left out whole
                columns[each.name] = [None] * total
        return columns

    def _read(
        self, view: FeatureView, given: Mapping[str, Column], times: Sequence[int], ask: Ask
    ) -> dict[str, list[object]]:
        absent = [name for name in view.entity if name not in given]
        if absent:
            raise BadRequest(
                f"feature view {view.name!r} cannot be looked up",
                where=f"request {ask.id}",
                faults=[Fault(where=name, what="the view's key was not sent") for name in absent],
            )
        if self._online is None:
            raise BadRequest(
                f"feature view {view.name!r} cannot be looked up: this server has no online store",
                where=f"request {ask.id}",
            )
        parts = [plain_values(given[name]) for name in view.entity]
        keys = [tuple("" if part is None else str(part) for part in row) for row in zip(*parts, strict=True)]
        found = self._online.read(view, keys, times)
        nobody = [row for row, key in enumerate(zip(*parts, strict=True)) if None in key]
        for column in found.values() if nobody else ():
            for row in nobody:
                column[row] = None
        return found
