"""Steps run where they stand."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InlineExecutor:
    """Runs each task in the caller's thread and keeps the names in ``ran``.

    A time limit is only noticed when the task has ended.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, task: Callable[[], T], *, name: str, timeout_s: float | None = None) -> T:
        """Run the task; see ``Executor.run``."""
        self.ran.append(name)
        started = time.monotonic()
        result = task()
        if timeout_s is not None and time.monotonic() - started > timeout_s:
            raise TimeoutError(f"step {name!r} took longer than {timeout_s:g} s")
        return result
