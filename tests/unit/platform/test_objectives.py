"""What was promised and kept, from the shared counters of real serving processes to alerts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate
from mlwright.doors.http.control.metrics import render
from mlwright.doors.http.control.status import TurnStatus
from mlwright.model.ids import EndpointName
from mlwright.model.instants import to_micros
from mlwright.model.monitoring import Estimate, Performance
from mlwright.model.objectives import objectives_of
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.model.slos import SPANS, ObjectiveKind, Tally
from mlwright.model.watch_settings import SloSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring import slos, tables
from mlwright.stages.monitoring.performance_store import save_performance
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.readings import metrics_folder
from mlwright.stages.serving.slots import Slots

START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
SLO = SloSettings(
    latency_p99=timedelta(milliseconds=30),
    throughput=10.0,
    freshness=2 * HOUR,
    quality=0.7,
    availability=0.99,
)


class Serving:
    """The processes of a project: they count where real ones do, and can end."""

    def __init__(self, project) -> None:
        self._folder = metrics_folder(project.settings.state)
        self.start()

    def start(self) -> None:
        self.slots = Slots(self._folder)
        self.counters = Counters("delay", self.slots, limit_s=0.03)

    def answer(
        self, number: int, *, slow: int = 0, failed: int = 0, theirs: int = 0, refused: int = 0
    ) -> None:
        for at in range(number):
            self.counters.answered(1, 0.031 if at < slow else 0.029)
        for _ in range(failed):
            self.counters.failed("ModelError")
        for _ in range(theirs):
            self.counters.failed("BadRequest")
        for _ in range(refused):
            self.counters.rejected("queue")
            self.counters.failed("Overloaded")


@pytest.fixture
def promising(project):
    """A project whose endpoint promises everything, looked at once, before anything was asked."""
    project.change(slo=SLO)
    serving = Serving(project)
    look(project)
    yield project, serving
    serving.slots.close()


def look(project, after: timedelta = timedelta(0)):
    project.wind(project.clock.now() + after)
    return project.platform.objectives.look("delay")


def stand(project) -> dict[str, object]:
    return {each.objective.kind.value: each for each in project.platform.objectives.status("delay")}


def test_what_is_counted(promising) -> None:
    project, serving = promising
    serving.answer(200, slow=3, failed=4, theirs=50, refused=10)
    look(project, MINUTE)
    found = stand(project)
    assert found["latency"].tally == Tally(good=197, total=200)
    assert found["availability"].tally == Tally(good=200, total=214), (
        "what clients got wrong is nobody's failure"
    )
    # 214 were asked in a minute, 600 promised, 10 not taken
    assert found["throughput"].tally == Tally(good=204, total=214)
    assert found["latency"].budget_left == pytest.approx(1 - 0.015 / 0.01)
    assert found["latency"].seen_since is not None


def test_what_was_promised_to_nobody_may_be_refused(promising) -> None:
    project, serving = promising
    serving.answer(600, refused=400)
    look(project, MINUTE)
    assert stand(project)["throughput"].tally == Tally(good=600, total=600)


def test_restarts_of_everybody(promising) -> None:
    """Processes end and others begin, the platform is opened again, the counters are lost: nothing counts twice."""
    project, serving = promising
    serving.answer(100, failed=1)
    look(project, MINUTE)
    serving.slots.close()
    serving.start()
    serving.answer(100)
    project.open()
    look(project, MINUTE)
    assert stand(project)["availability"].tally == Tally(good=200, total=201)
    serving.slots.close()
    for file in metrics_folder(project.settings.state).iterdir():
        file.unlink()
    serving.start()
    serving.answer(7)
    look(project, MINUTE)
    assert stand(project)["availability"].tally == Tally(good=207, total=208)
    look(project)  # at the same instant: an overtaken look
    assert stand(project)["availability"].tally == Tally(good=207, total=208)


def test_a_page_and_its_end(promising) -> None:
    project, serving = promising
    for _ in range(12):
        serving.answer(500)
        assert look(project, 5 * MINUTE) == ()
    began, fired = project.clock.now(), []
    for _ in range(4):
        serving.answer(250, failed=250)
        fired += look(project, 5 * MINUTE)
    rules = {each.rule: each for each in fired}
    assert set(rules) == {"slo.availability.page", "slo.availability.ticket"}
    page = rules["slo.availability.page"]
    assert page.evidence["objective"] == "availability"
    assert "times as fast as it may" in page.summary
    assert page.next_command == "mlwright slo delay"
    # By the rule of 6 h (limit 6 %) of an hour's history: 60 · 0.06 / (0.5 - 0.06) = 8.2 minutes, at the next look.
    assert page.fired - began == 10 * MINUTE
    over = []
    for _ in range(9):
        serving.answer(500)
        over += look(project, 5 * MINUTE)
    assert "slo.availability.page" in {each.rule for each in over if each.state == "resolved"}


def test_days_of_labels(promising) -> None:
    """A day is bad where its whole interval is below the limit; four of thirty is more than the tenth allowed."""
    project, _ = promising
    now = project.clock.now()
    with project.platform.parts.write() as tx:
        for back in range(1, 32):
            start = (now - back * DAY).replace(hour=0)
            value = Estimate(value=0.66, lower=0.64, upper=0.68 if back <= 4 else 0.72)
            save_performance(tx, day(start, {"auc": value} if back <= 30 else {}), "day")
    found = stand(project)["quality"]
    assert found.tally.bad == 4
    assert found.kept is False
    [ticket] = look(project, MINUTE)
    assert ticket.rule == "slo.quality.ticket"


def day(start: datetime, metrics: dict[str, Estimate]) -> Performance:
    return Performance(
        endpoint=EndpointName("delay"),
        window=Window(start=start, end=start + DAY),
        predictions=1000,
        labelled=900,
        matured=True,
        metrics=metrics,
        expected={"auc": Estimate(value=0.75, lower=0.74, upper=0.76)},
    )


def test_freshness_by_the_minute(promising) -> None:
    project, _ = promising
    assert stand(project)["freshness"].tally.total == 0, "nothing is known of the view yet"
    project.platform.data.materialize()
    newest = project.platform.objectives.standing("delay").ages["weather_at_origin"]
    look(project)
    look(project)  # the same minute counts once
    look(project, MINUTE)
    found = stand(project)["freshness"].tally
    assert found.total == 2
    assert found.good == (2 if newest <= 2 * HOUR else 0)


@pytest.fixture
def tx(tmp_path) -> Iterator[object]:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine, backups=tmp_path, at=START)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def test_a_month_is_a_bounded_sum(tx) -> None:
    """33 days, one event a minute, the last six seen by the hour: every window within its error of the truth."""
    latency = objectives_of(EndpointSettings(name="delay", model="m@champion"))[0]
    end = START + 27 * DAY
    slos.add(tx, latency, Tally(good=27 * 1440, total=27 * 1440), START, end)
    for step in range(6 * 24):
        start, end = end, end + HOUR
        slos.add(tx, latency, Tally(good=0 if step >= 6 * 24 - 2 else 60, total=60), start, end)
        if step % 5 == 0:
            slos.roll_up(tx, latency, end)
    slos.roll_up(tx, latency, end)
    found = slos.tallies(tx, latency, {*SPANS, latency.window}, end)
    for span, tally in found.items():
        error = 60 if span > 3 * DAY else 5 if span > 6 * HOUR else 1e-6
        assert tally.total == pytest.approx(span / MINUTE, abs=error), span
        assert tally.bad == pytest.approx(min(span / MINUTE, 120), abs=1e-6)
    assert tx.execute(select(func.count()).select_from(tables.slo_windows)).scalar() < 2100
    kept = tx.execute(select(func.sum(tables.slo_windows.c.total))).scalar()
    assert 30 * 24 * 60 <= kept <= 30 * 24 * 60 + 121


def test_looks_that_follow_each_other_roll_up_what_one_that_searches_all_does(tx) -> None:
    """Looks at odd distances leave the same slots, and a window is the plain sum of them."""
    one, other = (
        objectives_of(EndpointSettings(name=name, model="m@champion"))[0] for name in ("one", "other")
    )
    odd = np.random.default_rng(5).choice([60, 187, 420, 3600, 3660, 32_400, 172_800], size=48)
    gaps = [*odd, *[3600] * 12]
    table, now, before = tables.slo_windows, START, None
    for step, gap in enumerate(gaps):
        start, now = now, now + timedelta(seconds=int(gap))
        for each, since in ((one, before), (other, None)):
            slos.add(tx, each, Tally(good=step % 7, total=7 + step), start, now)
            slos.roll_up(tx, each, now, since)
        before = now
    slots = select(table.c.span_s, table.c.start_at, table.c.good, table.c.total).order_by(table.c.start_at)
    window = table.c.start_at >= to_micros(now - one.window)  # what is older waits an hour to be removed
    rows = tx.execute(slots.where(window, table.c.endpoint == "one")).all()
    assert rows == tx.execute(slots.where(window, table.c.endpoint == "other")).all()
    assert {row.span_s for row in rows} == {60, 300, 3600}
    end, found = to_micros(now), slos.tallies(tx, one, SPANS, now)
    for span, tally in found.items():
        total = 0.0
        for width, at, _, number in rows:
            last = max(min(at + width * 1_000_000, end), at + 1)
            part = min(1.0, (last - to_micros(now - span)) / (last - at))
            total += number * part if part > 0 and at < end else 0.0
        assert tally.total == pytest.approx(total, rel=1e-12)
    assert found == slos.tallies(tx, other, SPANS, now)


def test_a_long_silence_is_spread(tx) -> None:
    """Nobody looked for ten days: what was counted lies evenly in them, and none of it in the future."""
    latency = objectives_of(EndpointSettings(name="delay", model="m@champion"))[0]
    slos.add(tx, latency, Tally(good=0, total=14_400), START, START + 10 * DAY + 30 * MINUTE)
    found = slos.tallies(tx, latency, [HOUR, DAY, 30 * DAY], START + 10 * DAY + 30 * MINUTE)
    per_hour = 14_400 / 240.5
    assert found[30 * DAY].total == pytest.approx(14_400)
    assert found[HOUR].total == pytest.approx(per_hour, rel=0.02)
    assert found[DAY].total == pytest.approx(24 * per_hour, rel=0.02)
    slos.add(tx, latency, Tally(good=0, total=100), START - 1000 * DAY, START)
    assert tx.execute(select(func.count()).select_from(tables.slo_windows)).scalar() < 1000


def test_counters_that_begin_again(tx) -> None:
    name = EndpointName("delay")
    look = slos.Counts(at=START, requests=10, failed=1, answers=9)
    assert slos.grow(tx, name, look) is None
    grown = slos.grow(tx, name, replace(look, at=START + MINUTE, requests=15.0, failed=0.0))
    assert grown is not None
    assert (grown.by["requests"], grown.by["failed"], grown.by["answers"]) == (5, 0, 0)
    assert slos.grow(tx, name, replace(look, at=START + SECOND)) is None, "overtaken by another process"
    later = slos.grow(tx, name, replace(look, at=START + 2 * MINUTE, requests=4.0))
    assert later is not None
    assert later.by["requests"] == 4, "the counter began again"


def test_which_promises() -> None:
    bare = EndpointSettings(name="a", model="m@champion")
    assert [each.kind for each in objectives_of(bare)] == [ObjectiveKind.LATENCY, ObjectiveKind.AVAILABILITY]
    full = replace(bare, slo=SLO, label=LabelSettings(column="y", horizon=DAY))
    assert {each.kind for each in objectives_of(full)} == set(ObjectiveKind)
    assert [each.promise for each in objectives_of(full)] == [
        "99% of answers within 30 ms over 30 days",
        "99 % of requests answered over 30 days",
        "99 % of up to 10 requests a second taken over 30 days",
        "features no older than 2 h in 99% of minutes over 30 days",
        "auc no lower than 0.7 on 90% of matured days over 30 days",
    ]
    lossy = replace(full, monitor=replace(full.monitor, metric="brier"), slo=replace(SLO, quality=0.2))
    objective = objectives_of(lossy)[-1]
    days = [Estimate(value=0.3, lower=0.25, upper=0.35), Estimate(value=0.21, lower=0.19, upper=0.23), None]
    assert slos.quality_tally(objective, days) == Tally(good=1, total=2)


def test_metrics_of_the_control_process(promising) -> None:
    project, serving = promising
    serving.answer(100, failed=1)
    look(project, MINUTE)
    start = (project.clock.now() - DAY).replace(hour=0)
    with project.platform.parts.write() as tx:
        save_performance(tx, day(start, {"auc": Estimate(value=0.66, lower=0.64, upper=0.68)}), "day")
    turns = TurnStatus(every_s=60.0, turns=3, failures=1, last=project.clock.now(), doing=None, error=None)
    text, kind = render(project.platform, turns, "")
    assert kind.startswith("text/plain")
    found = {
        (
            sample.name,
            *(value for key, value in sorted(sample.labels.items()) if key != "endpoint"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["mlwright_quality", "auc"] == 0.66
    assert found["mlwright_quality_upper", "auc"] == 0.68
    assert found["mlwright_quality_estimated", "auc"] == 0.75
    assert found["mlwright_labelled_ratio",] == 0.9
    assert found["mlwright_slo_budget_remaining_ratio", "latency"] == 1.0
    assert found["mlwright_slo_burn_rate", "availability", "5m"] == pytest.approx(1 / 101 / 0.01)
    assert found["mlwright_alerts_open", "page"] == 0
    assert found["mlwright_turns_total",] == 3
    assert render(project.platform, turns, "application/openmetrics-text")[0].endswith("# EOF\n")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_tables_for_other_tools(promising, tmp_path, form) -> None:
    project, serving = promising
    serving.answer(1000, failed=500)
    [_, *_] = look(project, MINUTE)
    start = (project.clock.now() - DAY).replace(hour=0)
    with project.platform.parts.write() as tx:
        save_performance(tx, day(start, {"auc": Estimate(value=0.66, lower=0.64, upper=0.68)}), "day")
        save_performance(tx, day(start - DAY, {}), "day")
    written = project.platform.records.monitoring(tmp_path / "out", form)
    read = pl.read_parquet if form == "parquet" else pl.read_csv
    frames = {each.table: read(each.file) for each in written}
    assert set(frames) == {
        "performance",
        "performance_parts",
        "drift",
        "part_drift",
        "joint_drift",
        "alerts",
        "slo_windows",
    }
    assert frames["performance"]["numbers.metrics.auc.lower"].to_list() == [None, 0.64]
    assert frames["performance"]["start_at"].dtype == (
        pl.Datetime("us", "UTC") if form == "parquet" else pl.String
    )
    assert set(frames["alerts"]["rule"]) == {"slo.availability.page", "slo.availability.ticket"}
    assert frames["slo_windows"].filter(objective="availability")["total"].sum() == 1500
    assert frames["drift"].height == 0
    assert [each.rows for each in written] == [frames[each.table].height for each in written]
