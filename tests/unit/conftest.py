"""The tracking server in this process, for every test of a call: ``mlflow.ask("POST", "2.0/mlflow/runs/create", {…})``.

``tracking`` is the façade, ``mlflow`` the door over it; both are made for one test, in a folder of its own.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest


@dataclass(frozen=True)
class Answer:
    """What came back; ``json`` fails where it is none."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Mlflow:
    """An ASGI application, asked without a network."""

    app: Any
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def ask(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        query: Any = (),
        body: bytes | Iterable[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; a path that does not begin with a slash stands below ``/api/``."""
        return self.runner.run(self.asking(method, path, json, query=query, body=body, headers=headers))

    async def asking(self, method, path, asked=None, *, query=(), body=b"", headers=None) -> Answer:
        """The same, for several at once."""
        raw = quote(path if path.startswith("/") else f"/api/{path}", safe="/%:@!$&'()*+,;=-._~")
        if asked is not None:
            body = json.dumps(asked).encode()
        pieces = [body] if isinstance(body, bytes) else list(body)
        given = {"host": "127.0.0.1:8500", "content-length": str(sum(map(len, pieces))), **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": urlencode(query, doseq=True).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                await asyncio.sleep(3600)
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        assert not sent[-1].get("more_body"), "the answer was not finished"
        return Answer(
            status=sent[0]["status"],
            headers={name.decode().lower(): value.decode() for name, value in sent[0]["headers"]},
            body=b"".join(each.get("body", b"") for each in sent[1:]),
        )

    def close(self) -> None:
        self.app.close()
        self.runner.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of this version's schema; copying it is faster than migrating each time."""
    from mlwright.wiring.tracking import open_tracking

    folder = tmp_path_factory.mktemp("empty")
    open_tracking(database=f"sqlite:///{folder / 'db'}", artifacts=str(folder), state=folder).close()
    return folder / "db"


@pytest.fixture
def tracking(tmp_path: Path, empty_database: Path) -> Iterator[Any]:
    """The façade of tracking and registry over a fresh SQLite database; its clock stands until it is moved."""
    from mlwright.adapters.clock.replay import ReplayClock
    from mlwright.wiring.tracking import open_tracking

    shutil.copy(empty_database, tmp_path / "tracking.db")
    opened = open_tracking(
        database=f"sqlite:///{tmp_path / 'tracking.db'}",
        artifacts=str(tmp_path / "artifacts"),
        state=tmp_path / "state",
        clock=ReplayClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    )
    yield opened
    opened.close()


@pytest.fixture
def serve_calls(tracking: Any) -> Iterator[Callable[..., Mlflow]]:
    """Makes the door over ``tracking``: of all calls, or of those that are given (``calls=``, ``streams=`` …)."""
    made: list[Mlflow] = []

    def make(**options: Any) -> Mlflow:
        from mlwright.doors.http.mlflow.app import build_app

        made.append(Mlflow(build_app(tracking, **options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def mlflow(serve_calls: Callable[..., Mlflow]) -> Mlflow:
    """The door with every call that it has."""
    return serve_calls()
