"""From a request to the columns a model takes: checks, and the look-up of feature views."""

from collections.abc import Mapping, Sequence
from typing import Final

from mlwright.errors import BadRequest, Fault, near_match
from mlwright.model.features import FeatureView
from mlwright.model.predictions import LabelBlock, PredictRequest
from mlwright.model.registry import Field
from mlwright.ports.online_store import OnlineStore

Columns = dict[str, list[object]]

_EARLIEST: Final = -2_208_988_800_000_000  # 1900-01-01
_LATEST: Final = 253_402_300_799_999_999  # 9999-12-31
_MOST_FAULTS: Final = 20


def required_inputs(
    entity: str, timestamp: str, needed: Sequence[Field], views: Sequence[FeatureView]
) -> tuple[Field, ...]:
    """What a client has to send: entity and timestamp, then inputs and view keys that no view provides."""
    provided = {feature for view in views for feature in view.features}
    fields = {
        entity: Field(name=entity, type="string"),
        timestamp: Field(name=timestamp, type="long"),
    }
    for each in needed:
        if each.name not in provided:
            fields.setdefault(each.name, each)
    for view in views:
        for key in view.entity:
            fields.setdefault(key, Field(name=key, type="string"))
    return tuple(fields.values())


def check_request(request: PredictRequest, entity: str, timestamp: str) -> None:
    """Refuse a request whose columns differ in length or whose keys and times cannot be right.

    Raises:
        BadRequest: with one fault for each column or row, up to twenty.
    """
    rows = request.rows
    faults = []
    if rows == 0:
        faults.append(Fault(where=entity, what="no rows were sent"))
    lengths = {timestamp: len(request.event_times), **{k: len(v) for k, v in request.inputs.items()}}
    for name, length in lengths.items():
        if length != rows:
            faults.append(Fault(where=name, what=f"{length} values, but {entity} has {rows}"))
    keys: list[object] = list(request.entity_keys)  # from the wire: the door did not look at each
    faults += [
        Fault(where=f"{entity}[{row}]", what=f"must be a text that is not empty, not {key!r}")
        for row, key in enumerate(keys)
        if not isinstance(key, str) or not key
    ]
    faults += _time_faults(request.event_times, timestamp)
    if faults:
        raise BadRequest(
            "the request cannot be served as it is",
            where=f"request {request.id}",
            faults=faults[:_MOST_FAULTS],
        )


def gather(
    request: PredictRequest,
    needed: Sequence[Field],
    views: Sequence[FeatureView],
    online: OnlineStore | None,
    *,
    entity: str,
    timestamp: str,
) -> Columns:
    """The columns that the models need, from the request or else from the feature views.

    A column that the request sends is taken as it is. Features are those known at each row's event time.

    Raises:
        BadRequest: an input is neither in the request nor in a view; the faults name all of them.
    """
    given: Mapping[str, list[object]] = {
        entity: list[object](request.entity_keys),
        timestamp: list[object](request.event_times),
        **request.inputs,
    }
    names = [each.name for each in needed]
    open_names = {name for name in names if name not in given}
    looked_up: Columns = {}
    for view in views:
        wanted = open_names.intersection(view.features)
        if wanted:
            found = _read(view, given, request, online)
            looked_up.update({name: found[name] for name in wanted})
            open_names -= wanted
    faults = [
        Fault(
            where=each.name,
            what=f"the model needs this {each.type}; it was not sent and no feature view has it",
            near=near_match(each.name, [name for name in request.inputs if name not in names]),
        )
        for each in needed
        if each.name in open_names and each.required
    ]
    if faults:
        raise BadRequest("inputs are missing", where=f"request {request.id}", faults=faults)
    missing: list[object] = [None] * request.rows
    return {name: given[name] if name in given else looked_up.get(name, missing) for name in names}


def check_labels(block: LabelBlock) -> None:
    """Refuse labels that name nothing or are not numbers. Where both are named, the prediction counts.

    Raises:
        BadRequest: with one fault for each column or row, up to twenty.
    """
    rows = len(block.labels)
    faults = []
    if rows and not block.prediction_ids and not block.entity_keys:
        faults.append(Fault(where="prediction_id", what="send prediction_id or entity_key"))
    columns: dict[str, Sequence[object]] = {
        "prediction_id": block.prediction_ids,
        "entity_key": block.entity_keys,
        "observed_at": block.observed_at,
    }
    for name, column in columns.items():
        if len(column) != rows and (column or name == "observed_at"):
            faults.append(Fault(where=name, what=f"{len(column)} values, but label has {rows}"))
    for name in ("prediction_id", "entity_key"):
        faults += [
            Fault(where=f"{name}[{row}]", what="must not be empty")
            for row, key in enumerate(columns[name])
            if not key
        ]
    faults += [
        Fault(where=f"label[{row}]", what=f"must be a finite number, not {label!r}")
        for row, label in enumerate(block.labels)
        if label - label != 0.0
    ]
    faults += _time_faults(block.observed_at, "observed_at")
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults[:_MOST_FAULTS])


def _time_faults(times: Sequence[int], name: str) -> list[Fault]:
    if not times or (set(map(type, times)) == {int} and min(times) >= _EARLIEST and max(times) <= _LATEST):
        return []
    return [
        Fault(where=f"{name}[{row}]", what=f"must be microseconds since 1970-01-01 UTC, not {time!r}")
        for row, time in enumerate(times)
        if type(time) is not int or not _EARLIEST <= time <= _LATEST
    ]


def _read(
    view: FeatureView,
    given: Mapping[str, list[object]],
    request: PredictRequest,
    online: OnlineStore | None,
) -> Columns:
    absent = [name for name in view.entity if name not in given]
    if absent:
        raise BadRequest(
            f"feature view {view.name!r} cannot be looked up",
            where=f"request {request.id}",
            faults=[Fault(where=name, what="the view's key was not sent") for name in absent],
        )
    if online is None:
        raise BadRequest(
            f"feature view {view.name!r} cannot be looked up: this server has no online store",
            where=f"request {request.id}",
        )
    parts = [given[name] for name in view.entity]
    keys = [tuple("" if part is None else str(part) for part in row) for row in zip(*parts, strict=True)]
    found = online.read(view, keys, request.event_times)
    nobody = [row for row, key in enumerate(zip(*parts, strict=True)) if None in key]
    for column in found.values() if nobody else ():
        for row in nobody:
            column[row] = None
    return found
