"""A real Alertmanager takes what we post to its API, shows it, and lets it end."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.notify.alertmanager import HOLD, AlertmanagerNotifier
from mlwright.model.alerting import ChannelTrouble, Notice
from mlwright.model.ids import AlertId
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.testing.conformance.notifiers import ALERT, STRANGE, notice

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
"""Debian's build reads its templates here and nowhere else."""
CONFIG = """
route: {receiver: nobody, group_by: [endpoint]}
receivers: [{name: nobody}]
"""


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = f"{ROOT / '.tools/alertmanager/usr/bin'}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("prometheus-alertmanager", path=path) or shutil.which("alertmanager", path=path)
    if found is None:
        pytest.skip("alertmanager is not on PATH (Debian: the package prometheus-alertmanager)")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text(CONFIG, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        command = [
            *_at_home(found),
            found,
            f"--config.file={folder / 'config.yml'}",
            f"--storage.path={folder / 'data'}",
        ]
        command += [f"--web.listen-address={address}", "--cluster.listen-address="]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(f"http://{address}/-/ready", process, folder / "log")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(20)


def _at_home(found: str) -> list[str]:
    """What shows a program that was unpacked, not installed, its files where it looks for them; it alone sees them."""
    if TEMPLATES.exists() or not found.startswith(str(ROOT)):
        return []
    share = Path(found).parents[1] / "share"
    home = ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(share)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*home, "true"], capture_output=True).returncode != 0
    ):
        pytest.skip(
            f"alertmanager is unpacked, not installed, and {TEMPLATES} cannot be shown to it (unshare)"
        )
    return home


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))


def shown(alertmanager: str) -> dict[str, dict]:
    with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts", timeout=10) as answer:
        return {each["labels"]["alert_id"]: each for each in json.load(answer)}


def told(*alerts: Alert, now: datetime) -> Notice:
    return replace(notice(*alerts), at=now)


def test_it_takes_shows_keeps_and_ends_our_alerts(alertmanager) -> None:
    now = SystemClock().now()
    page = replace(ALERT, fired=now - timedelta(hours=1), evidence=STRANGE)
    ticket = replace(page, id=AlertId("delay-labels"), rule="labels", level=AlertLevel.TICKET, runbook="ask")
    notifier = AlertmanagerNotifier(alertmanager)
    assert notifier.send(told(page, ticket, now=now)) == "answered 200, 2 alerts"
    found = shown(alertmanager)
    assert set(found) == {page.id, ticket.id}
    one = found[page.id]
    assert one["status"]["state"] in ("unprocessed", "active")
    assert one["labels"] == {
        "alertname": page.rule, "endpoint": "delay", "severity": "page", "alert_id": page.id,
    }  # fmt: skip
    assert one["annotations"]["summary"] == page.summary
    assert one["annotations"]["runbook_url"] == page.runbook
    assert found[ticket.id]["annotations"]["runbook"] == "ask"
    assert _at(one["startsAt"]) == page.fired.replace(microsecond=page.fired.microsecond // 1000 * 1000)
    # Said again it is the same alert, which ends later.
    later = now + timedelta(minutes=2)
    notifier.send(told(replace(page, state=AlertState.ACKNOWLEDGED, acknowledged_by="ada"), now=later))
    again = shown(alertmanager)[page.id]
    assert again["fingerprint"] == one["fingerprint"]
    assert abs(_at(again["endsAt"]) - later - HOLD) < timedelta(seconds=1)
    assert again["annotations"]["acknowledged_by"] == "ada"
    over = replace(page, state=AlertState.RESOLVED, resolved=SystemClock().now())
    notifier.send(told(over, now=over.resolved or now))
    assert set(shown(alertmanager)) == {ticket.id}


def test_what_it_refuses_is_refused(alertmanager) -> None:
    with pytest.raises(ChannelTrouble, match="answered 404") as caught:
        AlertmanagerNotifier(f"{alertmanager}/elsewhere").send(notice())
    assert caught.value.refused
    before = replace(ALERT, state=AlertState.RESOLVED, resolved=ALERT.fired - timedelta(hours=1))
    with pytest.raises(ChannelTrouble, match=r"answered 400.*start time must be before end time") as broken:
        AlertmanagerNotifier(alertmanager).send(notice(before))
    assert broken.value.refused


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
