"""The demo's journey: contracts, features, training, endpoint, and then a year of flights, day by day."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median

import polars as pl

from mlwright.adapters.clock.replay import ReplayClock
from mlwright.doors.cli.demo.beside import beside
from mlwright.doors.cli.demo.replay import EndpointClient, Hour, ReplayMark, ReplayPlan, days_between, hours
from mlwright.doors.cli.demo.results import Year, assemble
from mlwright.doors.cli.demo.story import Bar, Story
from mlwright.doors.up.processes import free_port, start_worker, stop
from mlwright.doors.web.picture import year_picture
from mlwright.doors.wire import to_json, to_plain
from mlwright.errors import MlwrightError, NotAvailableAtPrediction, NotFound
from mlwright.model.registry import ModelVersion
from mlwright.model.windows import Window
from mlwright.platform.facade import Platform, Tick
from mlwright.wiring.inference import encode_settings
from mlwright.wiring.project import close, open_platform

TRAIN_FROM = datetime(2013, 1, 1, tzinfo=UTC)
START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 1, tzinfo=UTC)
_TICK_AT = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the user asked for: where the project is, and how many months of the year to replay."""

    project: Path
    months: int = 9


def run_demo(options: DemoOptions, story: Story) -> Year:
    """Run or resume the demo; returns the year's result, which is also kept in the project."""
    began = time.monotonic()
    mark = ReplayMark(options.project / ".mlwright" / "replay.json")
    end = _end_of(options.months)
    clock = ReplayClock(mark.read() or START)
    platform = open_platform(options.project, clock=clock)
    try:
        killed = platform.training.recover()
        if mark.read() is not None:
            story.say(f"resuming at {mark.read():%d %B %Y}: everything acknowledged before is kept")
        if killed:
            story.say(
                f"{killed} interrupted run marked as killed; models it had not registered are trained again"
            )
        _look_at_data(platform, story)
        _keep_features(platform, story)
        champion = _train(platform, story)
        with beside(options.project, START, end) as others, _endpoint(platform, champion, story) as client:
            _replay(platform, clock, client, mark, end, story)
            story.chapter("What else could have been done with the same months")
            story.say("waiting for the three fixed strategies, which trained beside the replay")
            others.wait()
        year = _result(platform, options.project, time.monotonic() - began)
        _tell(year, platform, options.project, story)
        return year
    finally:
        close(platform)


def _look_at_data(platform: Platform, story: Story) -> None:
    story.chapter("Two data contracts (ODCS v3.1) are checked on 336,776 real flights and their weather")
    story.contracts(platform.data.check())


def _keep_features(platform: Platform, story: Story) -> None:
    story.chapter("Weather becomes a feature view: as of two hours before departure, never from the future")
    for name, rows in platform.data.materialize().items():
        view = platform.parts.settings.view(name)
        ttl = f", no older than {view.ttl.total_seconds() / 3600:g} h" if view else ""
        story.say(f"{name}: {rows:,} rows in the online store{ttl}")
    try:
        platform.data.examples("delay", "flights", ["carrier", "dep_delay"], TRAIN_FROM, START)
    except NotAvailableAtPrediction as refusal:
        story.say(f"asked for dep_delay as a feature → [yellow]refused[/yellow]: {refusal.what}")


def _train(platform: Platform, story: Story) -> ModelVersion:
    story.chapter("A pipeline trains on January to March, with a baseline and a gate")
    try:
        version = platform.releases.version("flight-delay@champion")
        story.say(f"{version.ref} is the champion already")
        return version
    except NotFound:
        pass
    run = platform.training.run("train_delay", {"start": TRAIN_FROM, "end": START, "holdout": "20d"})
    story.run(run)
    version = platform.releases.promote(run.tags["model"])
    story.say(f"registered {version.ref}, alias champion")
    return version


@contextmanager
def _endpoint(platform: Platform, champion: ModelVersion, story: Story) -> Iterator[EndpointClient]:
    story.chapter("An endpoint serves it over the Open Inference Protocol v2")
    if platform.releases.status("delay").route is None:
        platform.releases.deploy("delay")
    settings = platform.parts.endpoint("delay")
    port = free_port()
    worker = start_worker(encode_settings(platform.parts.settings), port)
    looked_up = {
        feature
        for view in platform.parts.settings.feature_views
        if view.name in settings.features
        for feature in view.features
    }
    plan = ReplayPlan(
        endpoint="delay",
        entity=settings.entity,
        timestamp=settings.timestamp,
        inputs={each.name: each.type for each in champion.inputs if each.name not in looked_up},
        label=settings.truth.column,
        observed=settings.truth.observed or settings.timestamp,
    )
    client = EndpointClient(f"http://127.0.0.1:{port}", plan)
    story.say(f"POST http://127.0.0.1:{port}/v2/models/delay/infer  (process {worker.pid})")
    try:
        yield client
    finally:
        client.close()
        stop(worker)


def _replay(
    platform: Platform,
    clock: ReplayClock,
    client: EndpointClient,
    mark: ReplayMark,
    end: datetime,
    story: Story,
) -> None:
    story.chapter("April onwards is replayed through HTTP in event-time order; labels arrive when flights do")
    start = clock.now()
    rows = platform.data.load("flights").frame
    delay = (pl.col("arrived") - pl.col("scheduled")).dt.total_minutes() / 60
    spread = rows.select(delay.quantile(0.5).alias("p50"), delay.quantile(0.99).alias("p99")).row(0)
    story.say(f"from scheduled departure to label: median {spread[0]:.1f} h, p99 {spread[1]:.1f} h")
    predicted = labelled = 0
    # A day of the replay goes from noon to noon: at noon the labels of the day before have matured.
    plan = client.plan
    last = end + timedelta(days=1)
    with story.progress("replay", days_between(start, last)) as bar, ThreadPoolExecutor(1) as second:
        for day, group in groupby(hours(rows, plan, start, last, first=START), key=_replay_day):
            for hour in group:
                sent, known = _play(client, hour, end, second)
                predicted, labelled = predicted + sent, labelled + known
            tick = max(day + timedelta(days=1), clock.now())
            clock.advance_to(tick)
            for turn in platform.tick():
                _say_turn(platform, turn, tick, bar)
            client.refresh()
            mark.write(tick)
            bar.step(f"{tick:%d %b}  {predicted:,} predictions, {labelled:,} labels")
    story.say(f"{predicted:,} predictions answered and logged, {labelled:,} labels acknowledged")


def _replay_day(hour: Hour) -> datetime:
    noon = hour.start.replace(hour=0) + _TICK_AT
    return noon if hour.start >= noon else noon - timedelta(days=1)


def _play(client: EndpointClient, hour: Hour, end: datetime, second: Executor) -> tuple[int, int]:
    """Send an hour's requests and, on a second connection, the labels that arrived in it."""
    known = second.submit(client.feedback, hour.arrived) if hour.arrived is not None else None
    sent = 0
    if hour.asked is not None and hour.start < end:
        sent = client.predict(f"replay-{hour.start:%Y%m%d%H}", hour.asked)
    return sent, known.result() if known else 0


def _say_turn(platform: Platform, turn: Tick, at: datetime, bar: Bar) -> None:
    for month in turn.watched.months:
        if month.auc:
            moved = _moved(platform, month.window)
            bar.say(
                f"[dim]{month.window.start:%B}[/dim]: AUC {month.auc.value:.3f} "
                f"({month.auc.lower:.3f} to {month.auc.upper:.3f}) on {month.labelled:,} labels; "
                f"median daily PSI above 0.2: {', '.join(moved) or 'none'} — context, no alarm"
            )
    for alert in turn.watched.alerts:
        bar.say(f"[red]{at:%d %b}[/red] alert {alert.state}: {alert.summary}")
    if turn.decision:
        bar.say(
            f"[cyan]{at:%d %b}[/cyan] retrain: {turn.decision.outcome} — {'; '.join(turn.decision.reasons)}"
        )
    if turn.rollout and turn.rollout.state.ended and turn.rollout.last:
        bar.say(
            f"[magenta]{at:%d %b}[/magenta] rollout {turn.rollout.state}: "
            f"{turn.rollout.model}/{turn.rollout.challenger} — {turn.rollout.last.reason}"
        )


def _moved(platform: Platform, window: Window) -> list[str]:
    """The features whose PSI against the champion's reference was above 0.2 on most days of the window."""
    daily: dict[str, list[float]] = {}
    for report in platform.drifting.drift("delay"):
        if window.start <= report.window.start < window.end:
            for each in report.features:
                daily.setdefault(each.column, []).append(each.psi)
    return sorted(name for name, values in daily.items() if median(values) > 0.2)


def _result(platform: Platform, project: Path, seconds: float) -> Year:
    state = project / ".mlwright"
    file = state / "strategies.json"
    if not file.exists():
        raise MlwrightError(
            "the fixed strategies were not scored",
            where=str(state / "strategies.log"),
            next_command="mlwright demo",
        )
    year = assemble(
        json.loads(file.read_text()),
        platform.watch.performance("delay", "month"),
        platform.records.decisions("delay", limit=1000),
        platform.alerting.alerts("delay", limit=1000),
        seconds,
    )
    reports = state / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "year.json").write_bytes(to_json(year))
    (reports / "year.svg").write_text(year_picture(to_plain(year)))
    return year


def _tell(year: Year, platform: Platform, project: Path, story: Story) -> None:
    story.chapter("The year")
    story.year(year)
    story.promises(year)
    broken = platform.records.broken_audit_row()
    story.say(f"audit chain: {'intact' if broken is None else f'broken at row {broken}'}")
    story.say(f"picture: {project / '.mlwright' / 'reports' / 'year.svg'}")
    story.say(f"[dim]took {year.seconds:.0f} s[/dim]")
    # Where ./dev made the environment, the command is not on the path of the shell that reads this.
    command = "mlwright" if shutil.which("mlwright") else sys.argv[0]
    story.console.print(f"\nLook at it: [bold]{command} --project {project} up[/bold]\n", soft_wrap=True)


def _end_of(count: int) -> datetime:
    month = START
    for _ in range(count):
        month = (month + timedelta(days=32)).replace(day=1)
    return min(month, END)
