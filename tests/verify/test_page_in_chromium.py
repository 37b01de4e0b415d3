"""The page in a real browser: it is drawn, on wide and narrow screens, by day and night, without a complaint."""

import os
import re
import runpy
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from mlwright.doors.http.control.app import build_control_app
from mlwright.doors.up.processes import free_port

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
