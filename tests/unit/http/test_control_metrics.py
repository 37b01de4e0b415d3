"""A project with a year behind it: what is scraped of its two processes, what is drawn of that, and what is sent."""

import re
import runpy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as opened
from prometheus_client.parser import text_string_to_metric_families as plain

from mlwright.adapters.clock.replay import ReplayClock
from mlwright.adapters.grafana.plots import BOARDS
from mlwright.adapters.prometheus.rules import rules_file
from mlwright.doors.http.control.metrics import FAMILIES, measure
from mlwright.doors.http.inference.metrics import FAMILIES as OF_INFERENCE
from mlwright.doors.http.inference.metrics import render as render_inference
from mlwright.doors.http.metering import unit_of
from mlwright.model.monitoring import Estimate, Worth
from mlwright.platform.freshness import note_newest
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.readings import metrics_folder
from mlwright.stages.serving.slots import Slots

BENCH = runpy.run_path(str(Path(__file__).parents[1] / "web" / "bench.py"))
SEEDED = BENCH["SEEDED"]
NOW = SEEDED["START"] + SEEDED["DAYS"] * timedelta(days=1)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
METRIC = re.compile(r"\b(?:mlwright_|process_)\w+")


def fill_counters(counters: Counters) -> None:
    """Everything that a serving process counts, once."""
    counters.answered(2, 0.3)
    counters.failed("ModelError")
    counters.rejected("queue")
    counters.degraded("default")
    counters.variant("champion", 1)
    counters.scored(1, (0.1,), 0.1, 1.0)
    counters.route(1, [("champion", "m", "1")])


def add_what_the_seed_lacks(platform) -> None:
    """An estimate before labels, money, and the age of a feature view."""
    value = Estimate(value=0.7, lower=0.6, upper=0.8)
    last = monitoring_days(platform)[-1]
    full = replace(
        last,
        expected={"auc": value},
        worth=Worth(currency="EUR", total=value, per_prediction=value),
    )
    with platform.parts.write() as tx:
        monitoring.save_performance(tx, full, "day")
        note_newest(tx, "weather_at_origin", int((NOW - timedelta(hours=3)).timestamp() * 1e6))
        assert ledger.get_mark(tx, "features-newest:weather_at_origin")


def monitoring_days(platform):
    with platform.parts.read() as tx:
        return monitoring.list_performance(tx, SEEDED["DELAY"], "day")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A browser at the control process of a seeded project that has just been looked at, and a serving process."""
    bench, clock = BENCH["Bench"](), ReplayClock(NOW)
    control = bench.open(SEEDED["seed"](tmp_path_factory.mktemp("project")), clock)
    platform = control.platform
    add_what_the_seed_lacks(platform)
    slots = Slots(metrics_folder(platform.parts.settings.state))
    counters = Counters("delay", slots, limit_s=0.25)
    platform.objectives.look("delay")
    fill_counters(counters)
    clock.advance_to(NOW + timedelta(minutes=1))
    platform.objectives.look("delay")
    control.turns._note(last=NOW)  # as after a turn, which would take long
    yield SimpleNamespace(
        browser=BENCH["Browser"](control),
        platform=platform,
        cores={"delay": SimpleNamespace(counters=counters)},
    )
    slots.close()
    bench.close()


def samples(text: str, kind: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in (opened if "openmetrics" in kind else plain)(text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def scraped(running, accept: str = OPENMETRICS):
    answer = running.browser.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    kind = answer.headers["content-type"]
    text, of_inference = render_inference(running.cores, accept)
    return samples(answer.text, kind) | samples(text, of_inference)


def test_all_that_is_drawn_and_alerted_on_is_scraped(running) -> None:
    """With data, and not only declared: in either format."""
    settings = running.platform.parts.settings
    content = yaml.safe_load(rules_file(settings))
    drawn = [q.expression for b in BOARDS for plots in b.rows.values() for p in plots for q in p.queries]
    asked = [*drawn, *(rule["expr"] for group in content["groups"] for rule in group["rules"])]
    used = set().union(*(METRIC.findall(re.sub(r'"(?:\\.|[^"\\])*"', '""', each)) for each in asked))
    # Nothing was lost and nothing crashed here: these are declared, and come with the first.
    silent = {"mlwright_log_dropped_records_total", "mlwright_model_process_restarts_total"}
    rings = {"mlwright_log_ring_bytes", "mlwright_log_ring_limit_bytes"}
    for accept in (OPENMETRICS, "text/plain"):
        known = {name for name, _ in scraped(running, accept)}
        assert used - known - silent - rings == set()
    declared = {each.name for each in (*FAMILIES, *OF_INFERENCE)}
    assert {each.removesuffix("_total") for each in silent} | rings <= declared


def test_what_the_numbers_are(running) -> None:
    found = scraped(running)
    last = monitoring_days(running.platform)[-1]

    def value(name: str, **labels: str) -> float:
        return found[f"mlwright_{name}", frozenset({"endpoint": "delay", **labels}.items())]

    assert value("quality", metric="auc") == pytest.approx(last.metrics["auc"].value)
    assert value("quality_lower", metric="auc") == pytest.approx(last.metrics["auc"].lower)
    assert value("quality_estimated_upper", metric="auc") == 0.8
    assert value("quality_timestamp_seconds") == last.window.end.timestamp()
    assert value("worth", currency="EUR") == 0.7
    assert value("feature_age_seconds", view="weather_at_origin") == 3 * 3600 + 60
    assert (value("alerts_open", level="page"), value("alerts_open", level="ticket")) == (1, 1)
    assert value("slo_good_ratio", objective="availability") == 0.5
    assert value("slo_burn_rate", objective="latency", window="1h") == pytest.approx(100.0)


def translated(name: str, unit: str, kind: str) -> str:
    """What Prometheus makes of a metric that it is sent, by its own rules (otlptranslator, with suffixes)."""
    plain = re.sub(r"[^a-zA-Z0-9:]+", "_", name)
    words = {"s": "seconds", "By": "bytes"}
    word = words.get(unit, "" if unit.startswith("{") else unit)
    if unit == "1":
        word = "ratio" if kind == "gauge" else ""
    if word and word not in plain.split("_"):
        plain += f"_{word}"
    return plain + ("_total" if kind == "counter" and not plain.endswith("_total") else "")


def test_what_is_sent_is_what_is_scraped_under_the_names_of_opentelemetry(running) -> None:
    """Prometheus makes of each name what it scrapes, but for what the kernel says of a process."""
    pytest.importorskip("opentelemetry.sdk")
    from mlwright.adapters.otel.naming import attributes_of, instrument_of

    control = running.browser.control
    sent = {}
    for metric in measure(running.platform, control.turns.status):
        instrument = instrument_of(metric)
        if instrument is None:
            assert metric.name == "process_start_time_seconds"
            continue
        name, unit, kind = instrument
        assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name)
        assert not name.endswith(("_seconds", "_bytes", "_ratio", "_total"))
        assert unit
        for point in metric.points:
            labels = frozenset(attributes_of(metric, point.labels).items())
            known = name if name.startswith("process.") else translated(name, unit, kind)
            if kind == "histogram":
                sent[f"{known}_sum", labels] = point.value
                sent[f"{known}_count", labels] = sum(point.counts)
                assert len(point.counts) == len(point.bounds) + 1
            else:
                sent[known, labels] = point.value
    ours = {key: value for key, value in sent.items() if not key[0].startswith("process.")}
    expected = {
        key: value
        for key, value in scraped(running).items()
        if not key[0].startswith("process_") and not key[0].endswith("_bucket")
    }
    assert ours.keys() == expected.keys()
    assert ours == pytest.approx(expected, nan_ok=True)
    names = {name for name, _ in sent if name.startswith("process.")}
    assert names == {"process.memory.usage", "process.cpu.time", "process.unix.file_descriptor.count"}
    assert all("process.pid" in dict(labels) for name, labels in sent if name.startswith("process."))


def test_every_family_has_a_unit() -> None:
    for family in (*FAMILIES, *OF_INFERENCE):
        assert unit_of(family.name)
