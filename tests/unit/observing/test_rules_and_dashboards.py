"""Rules and dashboards name only metrics that our processes export, and Prometheus and Grafana read them."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mlwright.adapters.grafana.dashboards import dashboards
from mlwright.adapters.grafana.plots import BOARDS
from mlwright.adapters.prometheus.expressions import bad_name, events_name, ratio_name
from mlwright.adapters.prometheus.rules import rules_file, rules_of
from mlwright.doors.http.control.metrics import FAMILIES as OF_CONTROL
from mlwright.doors.http.inference.metrics import FAMILIES as OF_INFERENCE
from mlwright.doors.http.inference.metrics import render
from mlwright.errors import MissingExtra
from mlwright.model.settings import EndpointSettings, LabelSettings, Settings
from mlwright.model.slos import SPANS
from mlwright.model.watch_settings import MonitorSettings, SloSettings
from mlwright.stages.serving.counters import Counters

FULL = EndpointSettings(
    name="delay",
    model="delay@champion",
    owner="ada",
    runbook="https://wiki.example/delay",
    label=LabelSettings(column="late", horizon=timedelta(hours=12)),
    features=("weather",),
    slo=SloSettings(throughput=200.0, freshness=timedelta(hours=2), quality=0.7),
)
ODD = EndpointSettings(
    name='odd "\\ {{ name',
    model="odd@champion",
    label=LabelSettings(column="y", horizon=timedelta(days=1)),
    monitor=MonitorSettings(metric="rmse", task="regression"),
    slo=SloSettings(availability=0.9, window=timedelta(days=7), quality=3.0),
)
METRIC = re.compile(r"\b(?:mlwright_|process_)\w+")


def project(*endpoints: EndpointSettings) -> Settings:
    here = Path("/nowhere")
    return Settings(name="p", root=here, state=here, database="", artifacts="", endpoints=endpoints)


@pytest.fixture(scope="module")
def promtool() -> str:
    path = f"{Path(__file__).parents[3] / '.tools/prometheus/usr/bin'}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("promtool", path=path)
    if found is None:
        pytest.skip("promtool is not on PATH (Debian: the package prometheus)")
    return found


def run(promtool: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *words], capture_output=True, text=True, timeout=55)


def exported() -> set[str]:
    """Names of samples: those of a scrape of a process in which everything was counted once, and of the families."""
    counters = Counters("delay", limit_s=0.25)
    counters.answered(2, 0.3)
    counters.failed("ModelError")
    counters.rejected("queue")
    counters.degraded("default")
    counters.variant("champion", 1)
    counters.scored(1, (0.1,), 0.1, 1.0)
    counters.route(1, [("champion", "m", "1")])
    text, _ = render({"delay": SimpleNamespace(counters=counters)}, "")  # type: ignore[dict-item]
    scraped = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {"mlwright_slow_requests_total", "mlwright_latency_limit_seconds"} <= scraped
    suffix = {"counter": "_total", "info": "_info"}
    named = {each.name + suffix.get(each.kind, "") for each in (*OF_INFERENCE, *OF_CONTROL)}
    return scraped | named


def expressions(settings: Settings) -> list[str]:
    content = yaml.safe_load(rules_file(settings))
    return [rule["expr"] for group in content["groups"] for rule in group["rules"]]


def test_only_metrics_that_are_exported() -> None:
    known = exported()
    recorded = {name(span) for span in SPANS for name in (bad_name, events_name, ratio_name)}
    drawn = [
        query.expression
        for board in BOARDS
        for plots in board.rows.values()
        for p in plots
        for query in p.queries
    ]
    for expression in [*expressions(project(FULL, ODD)), *drawn]:
        unquoted = re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)
        used = set(METRIC.findall(unquoted))
        assert used <= known, f"{used - known} in {expression}"
        assert set(re.findall(r"mlwright:\w+:\w+", unquoted)) <= recorded
    assert len(drawn) > 30


def test_alerts_say_who_and_where_to_look() -> None:
    [found] = rules_of(project(FULL))
    pages = [rule for rule in found.alerts if rule.burn is not None and rule.severity == "page"]
    assert {rule.labels["objective"] for rule in pages} == {
        "latency",
        "availability",
        "throughput",
        "freshness",
    }
    for rule in found.alerts:
        assert rule.labels["owner"] == "ada"
        assert rule.annotations["runbook_url"] == "https://wiki.example/delay"
        assert rule.annotations["next"].startswith("mlwright ")
    [plain] = rules_of(project(ODD))
    assert "runbook_url" not in plain.alerts[0].annotations
    below = next(rule for rule in plain.alerts if rule.name == "MlwrightQualityBelowLimit")
    assert "mlwright_quality_lower" in below.expression, "of a loss the limit is an upper one"
    # 14.4 · 10 % is more than everything: over 7 days the rules are 3.36, 1.4, 1 and 1
    assert len({rule.burn.long for rule in plain.alerts if rule.burn}) == 4
    tight = replace(ODD, slo=replace(ODD.slo, availability=0.5, window=timedelta(days=30)))
    [loose] = rules_of(project(tight))
    longs = {
        rule.labels["long_window"] for rule in loose.alerts if rule.labels.get("objective") == "availability"
    }
    assert longs == {"3d"}, "with half of it allowed only a factor of 1 can be reached"


def test_promtool_checks_what_dashboards_ask_and_odd_names(promtool, tmp_path) -> None:
    rules = [
        {
            "record": f"drawn:{number}",
            "expr": text.replace("$__rate_interval", "5m").replace("$endpoint", "delay"),
        }
        for number, text in enumerate(
            query.expression
            for b in BOARDS
            for plots in b.rows.values()
            for p in plots
            for query in p.queries
        )
    ]
    (tmp_path / "d.yml").write_text(yaml.safe_dump({"groups": [{"name": "drawn", "rules": rules}]}))
    (tmp_path / "o.yml").write_text(rules_file(project(ODD)))
    checked = run(promtool, "check", "rules", str(tmp_path / "d.yml"), str(tmp_path / "o.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_grafana_reads_the_dashboards() -> None:
    sdk = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    from grafana_foundation_sdk.cog.plugins import register_default_plugins

    register_default_plugins()
    made = dashboards()
    assert {name.removesuffix(".json") for name in made} == {board.uid for board in BOARDS}
    for board in BOARDS:
        read = sdk.Dashboard.from_json(json.loads(made[f"{board.uid}.json"]))
        assert read.uid == board.uid
        panels = [each for each in read.panels if each.type_val != "row"]
        assert [each.title for each in panels] == [
            plot.title for plots in board.rows.values() for plot in plots
        ]
        drawn = [target.expr for panel in panels for target in panel.targets or ()]
        assert drawn == [
            q.expression for plots in board.rows.values() for plot in plots for q in plot.queries
        ]
        boxes = [(each.grid_pos.x, each.grid_pos.y) for each in panels]
        assert len(set(boxes)) == len(boxes), "no panel lies on another"


def test_without_the_sdk_it_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.cog.encoder", None)
    with pytest.raises(MissingExtra, match="Grafana") as caught:
        dashboards()
    assert "mlwright[grafana]" in str(caught.value)
