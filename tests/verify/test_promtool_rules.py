"""Prometheus's own tool runs the unit tests that are generated with the rules."""

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from mlwright.adapters.prometheus.proofs import proofs_file
from mlwright.adapters.prometheus.rules import rules_file, rules_of
from mlwright.model.settings import EndpointSettings, LabelSettings, Settings
from mlwright.model.watch_settings import MonitorSettings, SloSettings

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]

ENDPOINTS = {
    "full": EndpointSettings(
        name="delay",
        model="delay@champion",
        owner="ada",
        runbook="https://wiki.example/delay",
        label=LabelSettings(column="late", horizon=timedelta(hours=12)),
        features=("weather",),
        slo=SloSettings(throughput=200.0, freshness=timedelta(hours=2), quality=0.7),
    ),
    "odd": EndpointSettings(
        name='odd "\\ {{ name',
        model="odd@champion",
        label=LabelSettings(column="y", horizon=timedelta(days=1)),
        monitor=MonitorSettings(metric="rmse", task="regression"),
        slo=SloSettings(availability=0.9, window=timedelta(days=7), quality=3.0),
    ),
}


@pytest.mark.parametrize("names", [["full"], ["odd"]], ids=str)
def test_each_alert_fires_where_it_must_and_nowhere_else(names, tmp_path) -> None:
    root = Path(__file__).parents[2]
    promtool = shutil.which(
        "promtool", path=f"{root / '.tools/prometheus/usr/bin'}{os.pathsep}{os.environ['PATH']}"
    )
    if promtool is None:
        pytest.skip("promtool is not on PATH (Debian: the package prometheus)")
    chosen = tuple(ENDPOINTS[name] for name in names)
    settings = Settings(name="p", root=tmp_path, state=tmp_path, database="", artifacts="", endpoints=chosen)
    (tmp_path / "r.yml").write_text(rules_file(settings))
    (tmp_path / "t.yml").write_text(proofs_file(settings, "r.yml"))
    for words in (["check", "rules", "r.yml"], ["test", "rules", "t.yml"]):
        done = subprocess.run([promtool, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (done.stdout + done.stderr)[:5000]
    cases = yaml.safe_load((tmp_path / "t.yml").read_text())["tests"]
    fired = {rule["alertname"] for case in cases for rule in case["alert_rule_test"] if rule["exp_alerts"]}
    named = {rule.name for found in rules_of(settings) for rule in found.alerts}
    assert fired == named | {"MlwrightLoopStalled"}
