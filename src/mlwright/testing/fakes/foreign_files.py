"""Small files as other tracking tools write them, made by hand: what their readers are examined with.

Each ``write_…`` makes a source that keeps to :mod:`mlwright.testing.conformance.foreign_stores`: a run with the param
``depth``, the metric ``loss`` and a file, and a second run.
"""

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

STARTED_S = 1_767_225_600
"""When the runs began, in seconds since 1970: the first of January 2026."""

LOSS = (1.0, 0.5, float("nan"))
_BLOCK = 32 * 1024


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    number &= 0xFFFFFFFFFFFFFFFF
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def field(number: int, value: int | float | str | bytes) -> bytes:
    """One protobuf field: a varint, a double, or bytes."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def wandb_log(records: Sequence[bytes]) -> bytes:
    """A record log of W&B: see ``mlwright.adapters.moving.wandb.log``."""
    made = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        rest, first = record, True
        while rest or first:
            room = _BLOCK - len(made) % _BLOCK - 7
            if room < 0:
                made += b"\0" * (room + 7)
                continue
            part, rest = rest[:room], rest[room:]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            made += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
    return bytes(made)


def wandb_items(number: int, values: Mapping[str, str]) -> bytes:
    """Items of a config, history or summary: JSON texts by key."""
    return b"".join(field(number, field(1, key) + field(16, text)) for key, text in values.items())


def wandb_records(id: str, config: Mapping[str, str], history: Sequence[Mapping[str, str]]) -> list[bytes]:
    """The records of a run that ended well; configuration and history as JSON texts."""
    run = field(1, id) + field(3, "churn") + field(4, wandb_items(1, config)) + field(8, f"name of {id}")
    made = [field(1, 1) + field(17, run + field(17, field(1, STARTED_S)))]
    for step, row in enumerate(history):
        said = {**row, "_timestamp": str(STARTED_S + step), "_step": str(step)}
        made.append(field(1, len(made) + 1) + field(2, wandb_items(1, said) + field(2, field(1, step))))
    return [*made, field(18, field(1, 0) + field(2, 60))]


def write_wandb(place: Path) -> Path:
    """Two offline runs below ``place``; returns the log of the second."""
    rows = [{"loss": "NaN" if value != value else str(value)} for value in LOSS]
    log = place
    for id, config, history in (("aaaa1111", {"depth": "3"}, rows), ("bbbb2222", {"depth": "4"}, rows * 50)):
        folder = place / f"wandb/offline-run-20260101_000000-{id}"
        (folder / "files").mkdir(parents=True)
        (folder / "files/output.log").write_text(f"hello from {id}\n", encoding="utf-8")
        log = folder / f"run-{id}.wandb"
        log.write_bytes(wandb_log(wandb_records(id, config, history)))
    return log


def write_comet(place: Path) -> Path:
    """Two offline archives in ``place``; returns the second."""
    archive = place
    for id, depth in (("a" * 32, 3), ("b" * 32, 4)):
        at_ms = STARTED_S * 1000
        param = {"paramName": "depth", "paramValue": depth, "step": None}
        messages: list[dict[str, object]] = [
            {"type": "parameter_msg", "payload": {"param": param, "local_timestamp": at_ms}},
            {"type": "log_other", "payload": {"key": "Name", "value": f"name of {depth}"}},
        ]
        for step, value in enumerate(LOSS):
            metric = {"metricName": "loss", "metricValue": "NaN" if value != value else value, "step": step}
            said = {"metric": metric, "local_timestamp": at_ms + step}
            messages.append({"type": "metric_msg", "payload": said})
        file = {"file_path": "tmp1", "upload_type": "asset", "additional_params": {"fileName": "a/note.txt"}}
        messages.append({"type": "file_upload", "payload": file})
        head = {"offline_id": id, "project_name": "churn", "workspace": "w", "start_time": at_ms}
        archive = place / f"{id}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(
                "experiment.json", json.dumps(head | {"stop_time": at_ms + 60_000, "tags": ["x"]})
            )
            packed.writestr("messages.json", "".join(f"{json.dumps(each)}\n" for each in messages))
            packed.writestr("tmp1", "hello")
    return archive


_NEPTUNE: dict[str, pl.DataType | type[pl.DataType]] = {
    "project_id": pl.String,
    "run_id": pl.String,
    "attribute_path": pl.String,
    "attribute_type": pl.String,
    "step": pl.Decimal(18, 6),
    "timestamp": pl.Datetime("ms", "UTC"),
    "int_value": pl.Int64,
    "float_value": pl.Float64,
    "string_value": pl.String,
    "bool_value": pl.Boolean,
    "datetime_value": pl.Datetime("ms", "UTC"),
    "string_set_value": pl.List(pl.String),
    "file_value": pl.Struct({"path": pl.String}),
    "histogram_value": pl.Struct(
        {"type": pl.String, "edges": pl.List(pl.Float64), "values": pl.List(pl.Float64)}
    ),
}
"""The columns of neptune-exporter's ``model.py``."""


def neptune_table(run: str, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Rows of a run with all columns that the exporter writes."""
    full = [{"project_id": "org/churn", "run_id": run, **row} for row in rows]
    return pl.DataFrame(
        {name: [row.get(name) for row in full] for name in _NEPTUNE}, schema=_NEPTUNE, strict=False
    )


def write_neptune(place: Path) -> Path:
    """Two exported runs in ``place``; returns the Parquet file of the second."""
    began = datetime.fromtimestamp(STARTED_S, UTC)
    folder = place / "data/org_churn-0a1b"
    (place / "files/org_churn-0a1b").mkdir(parents=True)
    folder.mkdir(parents=True)
    part = folder
    for run, depth in (("R-1", 3), ("R-2", 4)):
        (place / f"files/org_churn-0a1b/{run}.bin").write_bytes(b"weights")
        series = {"attribute_path": "loss", "attribute_type": "float_series", "timestamp": began}
        rows: list[Mapping[str, object]] = [
            {"attribute_path": "depth", "attribute_type": "int", "int_value": depth},
            {"attribute_path": "sys/creation_time", "attribute_type": "datetime", "datetime_value": began},
            *({**series, "step": step, "float_value": value} for step, value in enumerate(LOSS)),
            {"attribute_path": "model", "attribute_type": "file", "file_value": {"path": f"{run}.bin"}},
        ]
        part = folder / f"{run}-0a1b_part_0.parquet"
        neptune_table(run, rows).write_parquet(part, compression="snappy")
    return part


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def event_file(events: Sequence[bytes]) -> bytes:
    """TFRecord framing around events, behind the one that names the version."""

    def masked(data: bytes) -> bytes:
        crc = crc32c(data)
        return struct.pack("<I", (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)

    made = b""
    for event in (field(1, float(STARTED_S)) + field(3, "brain.Event:2"), *events):
        length = struct.pack("<Q", len(event))
        made += length + masked(length) + event + masked(event)
    return made


def event(step: int, value: bytes) -> bytes:
    """An event with one value of a summary."""
    return field(1, float(STARTED_S + step)) + field(2, step) + field(5, field(1, value))


def scalar(tag: str, value: float) -> bytes:
    """A summary's value as tensorboardX and PyTorch write a scalar."""
    return field(1, tag) + varint(2 << 3 | 5) + struct.pack("<f", value)


def plugin(tag: str, name: str, content: bytes = b"") -> bytes:
    """A summary's value that belongs to a plugin."""
    return field(1, tag) + field(9, field(1, field(1, name) + field(2, content)))


def write_tensorboard(place: Path) -> Path:
    """Two runs, one below the other, in ``place``; returns the event file of the second."""
    losses = [event(step, scalar("loss", value)) for step, value in enumerate(LOSS)]
    number = field(2, 3.0)
    start = field(3, field(1, field(1, "depth") + field(2, number)))
    text = plugin("note/text_summary", "text") + field(8, field(1, 7) + field(8, "hello"))
    logs = {
        "run": [*losses, event(0, plugin("_hparams_/session_start_info", "hparams", start)), event(0, text)],
        "run/valid": losses * 20,
    }
    log = place
    for name, events in logs.items():
        log = place / name / "events.out.tfevents.1767225600.vm"
        log.parent.mkdir(parents=True)
        log.write_bytes(event_file(events))
    return log


def write_dvc(place: Path) -> Path:
    """A working folder of DVC with DVCLive in ``place``; returns its metrics."""
    table = place / "dvclive/plots/metrics/loss.tsv"
    table.parent.mkdir(parents=True)
    rows = "".join(f"{STARTED_S * 1000 + step}\t{step}\t{value}\n" for step, value in enumerate(LOSS))
    table.write_text(f"timestamp\tstep\tloss\n{rows}", encoding="utf-8")
    (place / "dvclive/metrics.json").write_text('{"loss": NaN, "best": 0.5, "step": 2}', encoding="utf-8")
    (place / "params.yaml").write_text("depth: 3\n", encoding="utf-8")
    md5 = "5d41402abc4b2a76b9719d911017c592"
    stage = (
        f"stages:\n  train:\n    cmd: python train.py\n    outs:\n    - path: model.bin\n      md5: {md5}\n"
    )
    (place / "dvc.lock").write_text(f"schema: '2.0'\n{stage}", encoding="utf-8")
    cached = place / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"hello")
    return place / "dvclive/metrics.json"
