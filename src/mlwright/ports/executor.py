"""Running the steps of a pipeline. Open wire: OpenLineage events about runs, compiled definitions elsewhere."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Executor(Protocol):
    """A place where a step's function runs."""

    def run(self, task: Callable[[], T], *, name: str, timeout_s: float | None = None) -> T:
        """Run the task once and return what it returned, or raise what it raised.

        Raises:
            TimeoutError: the task took longer than ``timeout_s``; what it still does is ignored.
        """
        ...
