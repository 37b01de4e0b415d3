"""How the exams run their hypothesis state machines."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def compare(machine: Callable[[], RuleBasedStateMachine], *, examples: int, steps: int = 8) -> None:
    """Run a machine that does the same to an engine and to its reference; raises where they differ.

    There is no deadline an example, and no health check: an engine may be slow or far away.
    """
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[arg-type] # a factory will do
