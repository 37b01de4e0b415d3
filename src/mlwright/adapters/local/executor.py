"""Steps run in the process that asks for them."""

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class InProcessExecutor:
    """Runs a task in the caller's thread, or in a thread of its own if it has a time limit."""

    def run(self, task: Callable[[], T], *, name: str, timeout_s: float | None = None) -> T:
        """Run the task; see ``Executor.run``.

        A task that takes too long cannot be stopped from outside. Its thread is a daemon: it goes on, what it
        returns is dropped, and it does not keep the process alive.
        """
        if timeout_s is None:
            return task()
        results: list[T] = []
        faults: list[BaseException] = []
        context = copy_context()  # the task sees its caller's context variables, limit or not

        def work() -> None:
            try:
                results.append(context.run(task))
            except BaseException as fault:  # noqa: BLE001 - raised again in the caller's thread
                faults.append(fault)

        worker = Thread(target=work, name=f"step {name}", daemon=True)
        worker.start()
        worker.join(timeout_s)
        if faults:
            raise faults[0]
        if not results:
            raise TimeoutError(f"step {name!r} took longer than {timeout_s:g} s")
        return results[0]
