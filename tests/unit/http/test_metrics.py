"""What /metrics says, read by the strict parsers of prometheus-client and, where there is one, promtool."""

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as opened
from prometheus_client.parser import text_string_to_metric_families as plain

from mlwright.doors.http.inference.metrics import render
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.ringfile import RingFile
from mlwright.stages.serving.slots import SUM, Series, Slots

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def fill(counters: Counters) -> None:
    counters.answered(3, 0.003)
    counters.answered(1, 7.0)
    counters.failed("ModelError")
    counters.failed("Overloaded")
    counters.rejected("queue")
    counters.degraded("default")
    counters.variant("champion", 3)
    counters.variant("challenger", 1, 1)
    counters.labels(2)
    counters.flagged(1)
    counters.scored(4, (0.001, 0.0005), 0.0002, 12.0)
    counters.holding(5, 3)
    counters.mode("inline")
    counters.mode("thread", moved=True)
    counters.route(1, [("champion", "m", "1")])
    counters.route(2, [("champion", "m", "2"), ("challenger", "m", "3")])


def scraped(cores: dict[str, SimpleNamespace], accept: str = OPENMETRICS, log: Path | None = None) -> Samples:
    text, content_type = render(cores, accept, log)  # type: ignore[arg-type]
    parse = opened if "openmetrics" in content_type else plain
    samples: Samples = {}
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, "each sample once"
            samples[key] = sample.value
    return samples


def of(samples: Samples, name: str, **labels: str) -> list[float]:
    return [value for (found, have), value in samples.items() if found == name and labels.items() <= have]


@pytest.fixture(params=["memory", "folder"])
def slots(request, tmp_path: Path):
    made = Slots(tmp_path / "metrics" if request.param == "folder" else None)
    yield made
    made.close()


@pytest.fixture
def cores(slots: Slots) -> dict[str, SimpleNamespace]:
    made = {name: SimpleNamespace(counters=Counters(name, slots)) for name in ("delay", 'odd "\\\n name')}
    for core in made.values():
        fill(core.counters)
    return made


@pytest.mark.parametrize("accept", [OPENMETRICS, "text/plain", ""])
def test_all_that_was_counted(cores, accept: str) -> None:
    samples = scraped(cores, accept)
    pid = str(os.getpid())
    for endpoint in cores:
        expected = {
            ("mlwright_requests_total", ()): 4,
            ("mlwright_request_errors_total", (("kind", "ModelError"),)): 1,
            ("mlwright_rejected_total", (("reason", "queue"),)): 1,
            ("mlwright_degraded_total", (("kind", "default"),)): 1,
            ("mlwright_rows_total", (("variant", "champion"),)): 3,
            ("mlwright_variant_errors_total", (("variant", "challenger"),)): 1,
            ("mlwright_labels_total", ()): 2,
            ("mlwright_log_dropped_records_total", ()): 0,
            ("mlwright_latency_seconds_bucket", (("le", "0.0025"),)): 0,
            ("mlwright_latency_seconds_bucket", (("le", "0.005"),)): 1,
            ("mlwright_latency_seconds_bucket", (("le", "2.5"),)): 1,
            ("mlwright_latency_seconds_bucket", (("le", "+Inf"),)): 2,
            ("mlwright_latency_seconds_count", ()): 2,
            ("mlwright_latency_seconds_sum", ()): 7.003,
            ("mlwright_batch_rows_bucket", (("le", "4.0"),)): 1,
            ("mlwright_batch_rows_sum", ()): 4,
            ("mlwright_in_flight_rows", ()): 5,
            ("mlwright_waiting_rows", ()): 3,
            ("mlwright_route_generation", (("process", pid),)): 2,
            ("mlwright_batching_mode", (("mode", "thread"), ("process", pid))): 1,
            ("mlwright_model_info", (("variant", "challenger"), ("model", "m"), ("version", "3"))): 1,
        }
        for (name, labels), value in expected.items():
            key = (name, frozenset({"endpoint": endpoint, **dict(labels)}.items()))
            assert samples[key] == pytest.approx(value), key
        assert not of(samples, "mlwright_batching_mode", endpoint=endpoint, mode="inline")
        assert not of(samples, "mlwright_model_info", endpoint=endpoint, version="1")
    assert not [name for name, _ in samples if name.startswith("pulse")]


def test_the_process_as_the_kernel_sees_it(cores) -> None:
    samples = scraped(cores)
    pid = str(os.getpid())
    [memory] = of(samples, "process_resident_memory_bytes", process=pid)
    assert 10 << 20 < memory < 10 << 30
    assert of(samples, "process_cpu_seconds_total", process=pid)[0] > 0
    assert of(samples, "process_open_fds", process=pid)[0] >= 3
    [started] = of(samples, "process_start_time_seconds", process=pid)
    assert started == pytest.approx(os.stat(f"/proc/{pid}").st_mtime, abs=600)


def test_the_same_from_any_process(tmp_path: Path) -> None:
    """Two owners of one folder; whichever is asked, the answer is the sum."""
    one, other = Slots(tmp_path), Slots(tmp_path)
    cores = [{"delay": SimpleNamespace(counters=Counters("delay", each))} for each in (one, other)]
    for times, mine in enumerate(cores, 1):
        for _ in range(times):
            fill(mine["delay"].counters)
    answers = [scraped(mine) for mine in cores]
    for samples in answers:
        assert of(samples, "mlwright_requests_total") == [12]
        assert of(samples, "mlwright_latency_seconds_count") == [6]
        assert of(samples, "mlwright_in_flight_rows") == [10]
        assert of(samples, "mlwright_model_info", version="3") == [1]
    one.close()
    assert of(scraped(cores[1]), "mlwright_requests_total") == [12], "and one of them is gone"
    assert of(scraped(cores[1]), "mlwright_in_flight_rows") == [5]
    other.close()


def test_nothing_counted_yet() -> None:
    text, content_type = render({}, OPENMETRICS)
    assert text == "# EOF\n" or text.splitlines()[-1] == "# EOF"
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert render({}, "")[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_the_log_s_rings(cores, tmp_path: Path) -> None:
    ring = RingFile.create(tmp_path / "ring", "1-77", 1 << 16, None)
    ring.put(b"x" * 100, ring.tail)
    ring.notes.drop("delay", 6)
    samples = scraped(cores, log=tmp_path)
    assert of(samples, "mlwright_log_ring_bytes") == [ring.head - ring.tail]
    assert of(samples, "mlwright_log_ring_limit_bytes") == [ring.capacity]
    assert of(samples, "mlwright_log_dropped_records_total", endpoint="delay") == [6]
    ring.close()


def test_a_series_that_no_family_names_is_not_shown(slots) -> None:
    slots.block(Series("something_else", SUM))
    text, _ = render({"delay": SimpleNamespace(counters=Counters("delay", slots))}, "")  # type: ignore[dict-item]
    assert "something_else" not in text


def test_promtool_finds_nothing_to_say(cores) -> None:
    path = f"{Path(__file__).parents[3] / '.tools/prometheus/usr/bin'}{os.pathsep}{os.environ['PATH']}"
    promtool = shutil.which("promtool", path=path)
    if promtool is None:
        pytest.skip("promtool is not on PATH (Debian: the package prometheus)")
    text, _ = render(cores, "")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr + "\n" + text
