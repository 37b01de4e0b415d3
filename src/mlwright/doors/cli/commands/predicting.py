"""``predict``: ask a running endpoint, or score files, a folder or a stream without one."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import click
from rich.text import Text

from mlwright.doors.cli.commands.predict import ask
from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.scored import came_line, scored_view, scoring_bar, stream_view
from mlwright.errors import UsageError
from mlwright.model.durations import parse_duration
from mlwright.platform.scoring import Came, JobOptions, ScoreOptions, StreamOptions, WatchOptions

_STREAMS = ("redis://", "rediss://")
_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--input",
        "source",
        metavar="SRC",
        help="Rows: a file. With --output also a folder, a glob, a URL (s3://bucket/*.parquet) or redis://HOST/STREAM.",
    ),
    click.option(
        "--output",
        metavar="DST",
        help="Score without a server and write here: a folder, a file (.parquet, .csv, .ndjson), a URL or a stream.",
    ),
    click.option(
        "--watch", metavar="FOLDER", help="Score each file that appears in FOLDER once; --output is a folder."
    ),
    click.option(
        "--keep",
        help="Columns of the input in the output, parted by commas, or 'all'. Default: entity and time.",
    ),
    click.option(
        "--invalid",
        type=click.Choice(["reject", "impute", "flag"]),
        help="What happens to values outside the contract. Default: as the endpoint says.",
    ),
    click.option("--log", is_flag=True, help="Write the predictions to the prediction log too."),
    click.option(
        "--chunk-rows", type=click.IntRange(1), default=65_536, show_default=True, help="Rows of one part."
    ),
    click.option(
        "--workers", type=click.IntRange(1), help="Processes. Default: one a core, fewer for little input."
    ),
    click.option("--limit", type=click.IntRange(1), help="Only the first rows."),
    click.option("--restart", is_flag=True, help="Begin anew what was begun at this output before."),
    click.option(
        "--group", default="mlwright", show_default=True, help="Those who share the records of a stream."
    ),
    click.option(
        "--window", default="50ms", show_default=True, help="How long a batch of a stream is waited for."
    ),
    click.option(
        "--claim-after", default="30s", show_default=True, help="When a consumer of a stream counts as dead."
    ),
    click.option(
        "--idle", metavar="SPAN", help="With --watch or a stream: end when nothing came for so long."
    ),
    click.option(
        "--port", type=click.IntRange(1, 65535), help="Port of the endpoints. Default: serve.inference_port."
    ),
    click.option(
        "--example", is_flag=True, help="A few rows that the champion has not learned from, asked as of now."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was typed besides the endpoint."""

    source: str | None
    output: str | None
    watch: str | None
    keep: str | None
    invalid: str | None
    log: bool
    chunk_rows: int
    workers: int | None
    limit: int | None
    restart: bool
    group: str
    window: str
    claim_after: str
    idle: str | None
    port: int | None
    example: bool

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in (self.keep or "").split(",") if name.strip())

    @property
    def idle_s(self) -> float | None:
        return None if self.idle is None else _seconds("--idle", self.idle)

    @property
    def options(self) -> ScoreOptions:
        job = JobOptions(
            keep=self.kept,
            chunk_rows=self.chunk_rows,
            workers=self.workers or 0,
            limit=self.limit or 0,
            restart=self.restart,
        )
        return ScoreOptions(invalid=self.invalid, log=self.log, job=job)


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@command(
    "predict",
    example="mlwright predict churn --example\n"
    "mlwright predict churn --input rows.csv --output scores.parquet\n"
    "mlwright predict churn@champion --input 's3://bucket/*.parquet' --output s3://bucket/scores\n"
    "mlwright predict churn --watch inbox --output scores",
)
@click.argument("endpoint", metavar="ENDPOINT|MODEL")
@_options
def predict(door: Door, endpoint: str, **given: Any) -> None:
    """Ask a running endpoint; with --output, score files or a stream without a server.

    Scoring takes an endpoint, a registered model (name, name/3, name@alias) or an MLflow Model folder. What was stopped
    goes on where it was when the same command is typed again. Rows that break the contract are written apart with the
    reason, and the exit code is 1.
    """
    asked = _Asked(**given)
    if asked.output is None:
        _require_asking(asked)
        ask(door, endpoint, Path(asked.source) if asked.source else None, asked.port, asked.example)
    elif asked.watch is not None:
        _watch(door, endpoint, asked, asked.watch, asked.output)
    elif asked.source is None:
        raise UsageError("give --input SRC", next_command="mlwright predict --help")
    elif asked.source.startswith(_STREAMS):
        _stream(door, endpoint, asked, asked.source, asked.output)
    else:
        _score(door, endpoint, asked, asked.source, asked.output)


def _score(door: Door, endpoint: str, asked: _Asked, source: str, output: str) -> None:
    platform = door.any_platform
    with scoring_bar(quiet=door.as_json) as tell:
        report = platform.scoring.score(endpoint, source, output, asked.options, tell=tell)
    door.show(report, scored_view)
    door.finish(well=not report.rejected)


def _watch(door: Door, endpoint: str, asked: _Asked, folder: str, output: str) -> None:
    platform, failed = door.any_platform, []

    def came(one: Came) -> None:
        failed.append(one.error is not None)
        click.echo(came_line(one), err=True)

    with _until_told() as stopped:
        watched = WatchOptions(idle_s=asked.idle_s, stopped=stopped)
        count = platform.scoring.watch(endpoint, folder, output, asked.options, watched=watched, came=came)
    about = {"folder": folder, "files": count, "failed": sum(failed)}
    door.show(about, lambda each: Text(f"{each['files']} files, {each['failed']} of them put aside"))
    door.finish(well=not any(failed))


def _stream(door: Door, endpoint: str, asked: _Asked, source: str, output: str) -> None:
    platform = door.any_platform
    with _until_told() as stopped:
        how = StreamOptions(
            group=asked.group,
            window_s=_seconds("--window", asked.window),
            dead_s=_seconds("--claim-after", asked.claim_after),
            idle_s=asked.idle_s,
            keep=asked.kept,
            stopped=stopped,
        )
        report = platform.scoring.consume(endpoint, source, output, asked.options, stream=how)
    door.show(report, stream_view)


def _require_asking(asked: _Asked) -> None:
    """Refuse options that mean nothing where a server is asked."""
    if asked.watch is not None or (asked.source or "").startswith(_STREAMS):
        raise UsageError("give --output DST", next_command="mlwright predict --help")
    said = {
        "--keep": asked.keep,
        "--invalid": asked.invalid,
        "--log": asked.log,
        "--workers": asked.workers,
        "--limit": asked.limit,
        "--restart": asked.restart,
        "--idle": asked.idle,
    }
    odd = [name for name, value in said.items() if value]
    if odd:
        raise UsageError(
            f"{', '.join(odd)} means nothing without --output",
            why="without --output a running server is asked",
            next_command="mlwright predict --help",
        )


@contextmanager
def _until_told() -> Iterator[Callable[[float], bool]]:
    """Waits for so many seconds and says whether Ctrl-C or SIGTERM came: what is under way is finished first."""
    told = Event()
    before = {each: signal.signal(each, lambda *_: told.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.wait
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as fault:
        raise UsageError(f"{option} cannot be read: {fault}", next_command=f"{option} 5s") from fault
