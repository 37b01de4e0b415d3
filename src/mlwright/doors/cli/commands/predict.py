"""A client of the running endpoints: ``feedback``, and ``predict`` where it asks a server."""

from collections.abc import Sequence
from pathlib import Path

import click
import polars as pl
from rich.console import RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.inference import Accepted, Answered, InferenceServer, inference_server
from mlwright.doors.cli.readers import Column, as_column, read_rows
from mlwright.doors.cli.show import table
from mlwright.errors import DataError, NotFound, UsageError, near_match
from mlwright.model.batches import DATATYPES
from mlwright.model.instants import to_micros
from mlwright.model.settings import EndpointSettings
from mlwright.platform.facade import Platform
from mlwright.platform.same_rows import holdout_of

_EXAMPLES = 5
_INPUT = click.option(
    "--input",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Rows as .json, .ndjson, .csv or .parquet.",
)
_PORT = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the endpoints. Default: serve.inference_port."
)


def ask(door: Door, endpoint: str, file: Path | None, port: int | None, example: bool) -> None:
    """Ask a running endpoint, over the Open Inference Protocol: ``predict`` without an output.

    A column of instants may be ISO 8601; without the endpoint's timestamp the rows are asked as of now.
    """
    if (file is None) == (not example):
        raise UsageError("give --input FILE or --example", next_command="mlwright predict --help")
    platform = door.platform
    settings = platform.parts.endpoint(endpoint)
    rows = read_rows(file) if file else _examples(platform, endpoint)
    with inference_server(*_address(platform, port)) as server:
        datatypes = _datatypes(platform, server, endpoint)
        columns = _columns(platform, rows, datatypes, settings)
        door.show(server.infer(endpoint, columns, datatypes, settings.entity), _answers)


@command("feedback", example="mlwright feedback churn --input labels.csv")
@click.argument("endpoint")
@_INPUT
@_PORT
def feedback(door: Door, endpoint: str, file: Path | None, port: int | None) -> None:
    """Send labels to a running endpoint; sending them again changes nothing.

    FILE has label, prediction_id or entity_key, event_time (with an entity: only the prediction asked as of that
    instant), and observed_at (without it: now). The endpoint's own names of entity, timestamp and label will do as
    well.
    """
    if file is None:
        raise UsageError("give --input FILE", next_command="mlwright feedback --help")
    platform = door.platform
    columns = _labels(platform, endpoint, read_rows(file), str(file))
    with inference_server(*_address(platform, port)) as server:
        door.show(server.feedback(endpoint, columns), _accepted)


def _address(platform: Platform, port: int | None) -> tuple[str, int]:
    serve = platform.parts.settings.serve
    return serve.host, port or serve.inference_port


def _datatypes(platform: Platform, server: InferenceServer, endpoint: str) -> dict[str, str]:
    """What the endpoint asks for, and the features that it would look up: a column that is sent is used."""
    champion = platform.releases.status(endpoint).champion
    fields = champion.inputs if champion else ()
    settings = platform.parts.endpoint(endpoint)
    known = {settings.entity: "BYTES", settings.timestamp: "INT64"}
    return known | {each.name: DATATYPES[each.type] for each in fields} | server.inputs(endpoint)


def _examples(platform: Platform, endpoint: str) -> pl.DataFrame:
    settings = platform.parts.endpoint(endpoint)
    champion = platform.releases.status(endpoint).champion
    if champion is None:
        raise NotFound(
            f"endpoint {endpoint!r} has no champion", next_command=f"mlwright deploy {endpoint} MODEL/1"
        )
    if settings.label is None or champion.evaluation is None:  # it was not trained here
        saved = platform.parts.shelf.example(champion.digest) if champion.digest else None
        if saved:
            return pl.DataFrame(
                {name: pl.Series(name, list(each), strict=False) for name, each in saved.items()}
            ).head(_EXAMPLES)
    return holdout_of(platform.parts, champion).tail(_EXAMPLES).drop(settings.timestamp)


def _columns(
    platform: Platform, rows: pl.DataFrame, datatypes: dict[str, str], settings: EndpointSettings
) -> dict[str, Column]:
    entity, timestamp = settings.entity, settings.timestamp
    if settings.keyed and entity not in rows.columns:
        near = near_match(entity, rows.columns)
        hint = f"; did you mean {near!r}?" if near else ""
        raise DataError(f"there is no column {entity!r}, which names the rows{hint}")
    columns = {name: as_column(rows, name, datatypes[name]) for name in rows.columns if name in datatypes}
    if settings.keyed:
        columns.setdefault(timestamp, [to_micros(platform.parts.clock.now())] * rows.height)
    return columns


def _labels(platform: Platform, endpoint: str, rows: pl.DataFrame, where: str) -> dict[str, Column]:
    settings = platform.parts.endpoint(endpoint)
    names = {settings.entity: "entity_key", settings.timestamp: "event_time"}
    own = settings.label.column if settings.label is not None else None
    if settings.label is not None:
        names[settings.label.column] = "label"
        if settings.label.observed:
            names[settings.label.observed] = "observed_at"
    rows = rows.rename(
        {old: new for old, new in names.items() if old in rows.columns and new not in rows.columns}
    )
    if "label" not in rows.columns:
        near = near_match("label", rows.columns)
        hint = f"; did you mean {near!r}?" if near else ""
        other = f" and none {own!r}" if own is not None else ""
        raise DataError(f"there is no column 'label'{other}{hint}", where=where)
    wanted = {
        "label": "FP64",
        "prediction_id": "BYTES",
        "entity_key": "BYTES",
        "observed_at": "INT64",
        "event_time": "INT64",
    }
    columns = {name: as_column(rows, name, kind) for name, kind in wanted.items() if name in rows.columns}
    if "prediction_id" in columns:
        columns.pop("entity_key", None)
        columns.pop("event_time", None)
    return columns


def _answers(found: Sequence[Answered]) -> RenderableType:
    names = list(dict.fromkeys(name for each in found for name in each.outputs))
    scored = any(each.score is not None for each in found) or not names
    keyed = any(each.entity_key is not None for each in found)
    columns = [*(["entity"] if keyed else []), *(["score#"] if scored else []), *names]
    rows = [
        (
            *((each.entity_key,) if keyed else ()),
            *((each.score,) if scored else ()),
            *(each.outputs.get(name) for name in names),
            each.model_version,
            each.variant,
            each.prediction_id,
        )
        for each in found
    ]
    return table([*columns, "version", "variant", "prediction"], rows, empty="no rows")


def _accepted(receipt: Accepted) -> RenderableType:
    again = f", {receipt.repeated:,} of them as sent before" if receipt.repeated else ""
    return f"{receipt.accepted:,} labels are on disk at endpoint {receipt.endpoint}{again}"
