"""Diagnoses that were asked for on a page and are not made yet: each waits for its turn of the loop."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from mlwright.errors import MlwrightError
from mlwright.platform.diagnosing import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One that waits, is being made, or failed and why."""

    endpoint: str
    at: datetime
    trouble: MlwrightError | None = None


class Waiting:
    """One diagnosis an endpoint at a time; what failed is shown until it is asked for again."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[datetime, Future[Kept]]] = {}
        self._lock = Lock()

    def ask(self, endpoint: str, at: datetime, begin: "Callable[[], Future[Kept]]") -> "Future[Kept]":
        """Begin one, unless one of the endpoint waits already."""
        with self._lock:
            held = self._asked.get(endpoint)
            if held is None or held[1].done():
                held = self._asked[endpoint] = (at, begin())
            return held[1]

    def seen(self) -> tuple[Asking, ...]:
        """Those that are not made, and those that failed."""
        with self._lock:
            found: list[Asking] = []
            for endpoint, (at, future) in self._asked.items():
                if not future.done():
                    found.append(Asking(endpoint=endpoint, at=at))
                elif not future.cancelled() and isinstance(error := future.exception(), MlwrightError):
                    found.append(Asking(endpoint=endpoint, at=at, trouble=error))
        return tuple(found)
