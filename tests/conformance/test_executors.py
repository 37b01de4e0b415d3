import time
from threading import Event, current_thread

import pytest

from mlwright.adapters.local.executor import InProcessExecutor
from mlwright.testing.conformance.executors import ExecutorConformance
from mlwright.testing.fakes.executor import InlineExecutor


class TestInProcessExecutor(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> InProcessExecutor:
        return InProcessExecutor()

    def test_a_thread_of_its_own_only_with_a_limit(self, executor: InProcessExecutor) -> None:
        assert executor.run(current_thread, name="here") is current_thread()
        worker = executor.run(current_thread, name="there", timeout_s=30.0)
        assert (worker is current_thread(), worker.daemon, worker.name) == (False, True, "step there")

    def test_does_not_wait_for_a_task_that_hangs(self, executor: InProcessExecutor) -> None:
        forever = Event()
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"step 'stuck' took longer than 0\.05 s"):
            executor.run(forever.wait, name="stuck", timeout_s=0.05)
        assert time.monotonic() - started < 5
        forever.set()

    def test_leaving_a_program_is_passed_on(self, executor: InProcessExecutor) -> None:
        def leave() -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            executor.run(leave, name="leave", timeout_s=30.0)


class TestInlineExecutor(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> InlineExecutor:
        return InlineExecutor()

    def test_remembers_the_names(self, executor: InlineExecutor) -> None:
        executor.run(lambda: executor.run(int, name="inner"), name="outer")
        assert executor.ran == ["outer", "inner"]
