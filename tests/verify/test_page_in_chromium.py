"""The page in a real browser: it is drawn, on wide and narrow screens, by day and night, without a complaint."""

import os
import re
import runpy
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import uvicorn

from mlwright.doors.http.control.app import build_control_app
from mlwright.doors.http.mlflow.app import build_app
from mlwright.doors.up.processes import free_port
from mlwright.doors.web.lazy import LazyPages
from mlwright.model.tracking import History
from mlwright.stages.tracking.history import append_history
from mlwright.stages.tracking.runs import find_run
from mlwright.wiring.tracking import open_tracking

pytestmark = pytest.mark.verify

BENCH = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "web" / "bench.py"))
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=5000",
]
SECTIONS = (
    "loop",
    "year",
    "endpoint",
    "monitor",
    "alert",
    "decision",
    "run",
    "version",
    "contract",
    "process",
)


def find_chromium() -> str | None:
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        pytest.skip("no chromium on PATH: apt-get install chromium, or set CHROMIUM")
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A project with a year behind it, served in this process."""
    bench = BENCH["Bench"]()
    control = bench.open(BENCH["SEEDED"]["seed"](tmp_path_factory.mktemp("year")))
    control.turns.looks.look()
    port = free_port()
    config = uvicorn.Config(build_control_app(control), port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        bench.close()


def browse(chromium: str, profile: Path, url: str, *more: str) -> tuple[str, list[str]]:
    """The document as the browser has it in the end, and what its console said."""
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", *more, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.mark.parametrize("more", [(), ("--window-size=500,900",)])
def test_the_page_is_whole_and_the_console_is_silent(chromium, address, tmp_path, more) -> None:
    dom, console = browse(chromium, tmp_path, address, *more)
    assert console == []
    for section in SECTIONS:
        assert re.search(rf'<(section|nav)[^>]* id="{section}"', dom), section
    assert dom.count("<svg") == 4
    assert 'href="/experiments"' in dom
    assert "alert('tag')" in dom
    assert not re.search(r"<script>(?!$)", dom)


def test_every_link_of_the_page_leads_somewhere(chromium, address, tmp_path) -> None:
    dom, _ = browse(chromium, tmp_path, address)
    links = sorted(set(re.findall(r'href="(/(?:runs|models)/[^"]+)"', dom)))
    assert len(links) > 10
    run = next(link for link in links if link.startswith("/runs/"))
    for link in (run, "/models/flight-delay/5"):
        page, console = browse(chromium, tmp_path, address + link)
        assert console == []
        assert "Lineage" in page


def test_a_picture_can_be_taken_by_night(chromium, address, tmp_path) -> None:
    file = tmp_path / "night.png"
    night = ("--blink-settings=preferredColorScheme=0", f"--screenshot={file}", "--window-size=1400,2400")
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *night, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 50_000, "an empty page is smaller"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Tracked"]:
    """Some runs with long histories, served as ``mlwright tracking`` does it."""
    folder = tmp_path_factory.mktemp("tracked")
    tracking = open_tracking(
        database=f"sqlite:///{folder}/book.db", artifacts=str(folder / "artifacts"), state=folder
    )
    experiment = tracking.experiments.create("<b>bold</b>")
    ids = []
    for at in range(30):
        run = tracking.runs.create(experiment, name=f"trial-{at} <i>", started_ms=1_767_000_000_000 + at).id
        tracking.runs.log_params(run, {"lr": str(at / 100)})
        steps = np.arange(20_000)
        history = History(key="loss", steps=steps, at_ms=steps * 100, values=np.exp(-steps / 9000) + at / 50)
        with tracking.book.write() as tx:
            append_history(tx, find_run(tx, run).number, history)
        ids.append(run)
    tracking.models.create("churn")
    app = build_app(tracking, forward=LazyPages(tracking))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Tracked(f"http://127.0.0.1:{port}", experiment, ids)
    finally:
        server.should_exit = True
        thread.join()
        app.close()
        tracking.close()


class Tracked(NamedTuple):
    """A server, and what is on it."""

    address: str
    experiment: str
    runs: list[str]


@pytest.mark.parametrize("more", [(), ("--window-size=420,900",)])
def test_pages_of_tracking_are_drawn_in_silence(chromium, tracked, tmp_path, more) -> None:
    compared = ",".join(tracked.runs)
    pages = {
        "/experiments": "&lt;b&gt;bold",
        f"/experiments/{tracked.experiment}": "trial-29 &lt;i&gt;",
        f"/runs/{tracked.runs[3]}": 'class="spark"',
        f"/compare?runs={compared}": 'data-run="' + tracked.runs[29],
        f"/compare?runs={compared}&x=relative&log=1&from=10&to=900": "whole range",
        "/models": "churn",
        "/models/churn": "It has no version yet",
    }
    for number, (path, part) in enumerate(pages.items()):
        dom, console = browse(chromium, tmp_path / str(number), tracked.address + path, *more)
        assert console == [], path
        assert part in dom, path


def test_links_that_clients_print_lead_to_the_run(chromium, tracked, tmp_path) -> None:
    run, id = tracked.runs[7], tracked.experiment
    for number, (link, part) in enumerate(
        {
            f"/#/experiments/{id}/runs/{run}": "<title>run trial-7",
            f"/#/experiments/{id}": "<title>&lt;b&gt;bold",
            "/#/models/churn": "<title>churn",
            f'/#/compare-runs?runs=["{run}","{tracked.runs[8]}"]&experiments=["{id}"]': "<title>compare 2 runs",
        }.items()
    ):
        dom, console = browse(chromium, tmp_path / str(number), tracked.address + link)
        assert console == [], link
        assert part in dom, link
