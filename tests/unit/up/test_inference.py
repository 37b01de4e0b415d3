"""Real inference processes over a function: as many as are wanted, none when idle, and back with the next request."""

import json
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from mlwright.doors.http.control.status import WorkerState
from mlwright.doors.up.processes import free_port
from mlwright.model.settings import RegistrySettings
from mlwright.wiring.project import close, open_settings


def ask(port: int, x: float = 5.0) -> tuple[float, str]:
    """The score of a row, and who gave it."""
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request(
            "POST", "/v1/models/rules:predict", json.dumps({"instances": [[x]]}), {"connection": "close"}
        )
        answer = client.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)["predictions"][0], answer.headers["x-mlwright-model-version"]
    finally:
        client.close()


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_none_when_idle_and_back_with_the_next_request(run, caplog) -> None:
    with caplog.at_level(logging.INFO, "mlwright.up"):
        inference, port, _ = run(idle=timedelta(seconds=1))
        assert ask(port) == (6.0, "rules/1")
        (only,) = inference.status()
        until(lambda: inference.status() == () and gone(only.pid))
        assert ask(port, 1.0) == (2.0, "rules/1")  # nobody was there to answer when it was sent
        (again,) = inference.status()
        assert again.pid != only.pid
        assert again.restarts == 0
        until(lambda: inference.status() == ())
    assert [each.args for each in caplog.records if "instead" in each.msg][:3] == [(0, 1), (1, 0), (0, 1)]


def test_an_alias_is_followed_by_all_processes(run, folder) -> None:
    _, port, settings = run(workers=2)
    assert {ask(port) for _ in range(8)} == {(6.0, "rules/1")}
    platform = open_settings(replace(settings, registry=RegistrySettings(prove="off")))
    try:
        platform.releases.promote("rules/2")
        until(lambda: {ask(port) for _ in range(8)} == {(10.0, "rules/2")})
        assert platform.releases.status("rules").route.generation == 2
    finally:
        close(platform)


def test_gRPC_is_a_process_of_its_own(run) -> None:  # noqa: N802
    pytest.importorskip("grpc")
    grpc_port = free_port()
    inference, port, _ = run(grpc_port=grpc_port)
    first, second = inference.status()
    assert first.pid != second.pid
    assert {first.state, second.state} == {WorkerState.SERVING}
    assert ask(port) == (6.0, "rules/1")
    with socket.create_connection(("127.0.0.1", grpc_port), timeout=5):
        pass
    inference.stop()
    assert gone(first.pid)
    assert gone(second.pid)
