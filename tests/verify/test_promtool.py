"""Prometheus's own tools read what our /metrics says."""

import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def promtool() -> str:
    path = f"{ROOT / '.tools/prometheus/usr/bin'}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("promtool", path=path)
    if found is None:
        pytest.skip("promtool is not on PATH (Debian: the package prometheus)")
    return found


def metrics(served, accept: str | None = None) -> tuple[str, str]:
    headers = {"accept": accept} if accept else {}
    request = urllib.request.Request(f"http://127.0.0.1:{served.port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers["content-type"]


def test_promtool_finds_nothing_to_say(promtool, served) -> None:
    text, content_type = metrics(served)
    assert content_type.startswith("text/plain")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr + "\n" + text
    assert "mlwright_requests_total" in text


def test_openmetrics_parser_accepts(served) -> None:
    """prometheus-client's OpenMetrics parser is strict: types, units, suffixes, the final EOF."""
    text, content_type = metrics(served, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["mlwright_requests"].type == "counter"
    assert families["mlwright_latency_seconds"].type == "histogram"
