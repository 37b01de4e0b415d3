"""The exam of :class:`mlwright.ports.executor.Executor`: supply the fixture ``executor``."""

import time
from contextvars import ContextVar
from typing import NoReturn

import pytest

from mlwright.errors import GateFailed
from mlwright.ports.executor import Executor
from mlwright.testing.conformance.gaps import Conformance

LIMITS = pytest.mark.parametrize("timeout_s", [None, 30.0])
_ACTOR: ContextVar[str] = ContextVar("actor", default="nobody")


class ExecutorConformance(Conformance):
    """What every executor promises, with a time limit and without. Subclasses supply ``executor``."""

    @LIMITS
    def test_returns_what_the_task_returns(self, executor: Executor, timeout_s: float | None) -> None:
        """The very object, and None too."""
        answer = [object()]
        assert executor.run(lambda: answer, name="answer", timeout_s=timeout_s) == answer
        assert executor.run(lambda: None, name="nothing", timeout_s=timeout_s) is None

    @LIMITS
    def test_raises_what_the_task_raises(self, executor: Executor, timeout_s: float | None) -> None:
        """The caller sees the task's own error with all its parts, not a wrapped one."""

        def task() -> NoReturn:
            raise GateFailed("auc 0.61", where="train", why="the baseline has 0.64")

        with pytest.raises(GateFailed) as caught:
            executor.run(task, name="gate", timeout_s=timeout_s)
        assert (caught.value.where, caught.value.why) == ("train", "the baseline has 0.64")

    @LIMITS
    def test_runs_once(self, executor: Executor, timeout_s: float | None) -> None:
        """Retrying is the pipeline's business: a failed task is not run again."""
        calls: list[int] = []

        def task() -> NoReturn:
            calls.append(1)
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            executor.run(task, name="once", timeout_s=timeout_s)
        assert len(calls) == 1

    @LIMITS
    def test_sees_its_callers_context(self, executor: Executor, timeout_s: float | None) -> None:
        """Context variables (who acts, which run) reach the task."""
        token = _ACTOR.set("ada")
        try:
            assert executor.run(_ACTOR.get, name="context", timeout_s=timeout_s) == "ada"
        finally:
            _ACTOR.reset(token)

    def test_runs_within_a_run(self, executor: Executor) -> None:
        """A task may run another one."""

        def outer() -> int:
            return executor.run(lambda: 20, name="inner", timeout_s=30.0) + 1

        assert executor.run(outer, name="outer", timeout_s=30.0) == 21

    def test_too_long(self, executor: Executor) -> None:
        """The error names the step."""
        with pytest.raises(TimeoutError, match="slow"):
            executor.run(lambda: time.sleep(0.3), name="slow", timeout_s=0.05)
        assert executor.run(lambda: 1, name="next", timeout_s=30.0) == 1
