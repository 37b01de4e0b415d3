"""What a project's pipeline file is written with: ``@step``, ``@pipeline`` and ``gate``.

Outside a run all three are what they look like: a step is a plain function, so it can be called in a
notebook and tested without mlwright.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import update_wrapper
from inspect import Parameter, signature
from typing import Generic, ParamSpec, TypeVar, overload

from mlwright.errors import GateFailed, UsageError, near_match
from mlwright.model.durations import parse_duration
from mlwright.stages.pipelines.workbench import current_workbench

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """How a step is run: tried again on an error, stopped after a time, kept as a checkpoint or not."""

    retries: int = 0
    timeout: timedelta | None = None
    checkpoint: bool = True


class Step(Generic[P, R]):
    """A function whose calls inside a pipeline run are checkpointed, retried and recorded."""

    def __init__(self, function: Callable[P, R], policy: StepPolicy) -> None:
        self.function = function
        self.policy = policy
        self.name = function.__name__
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the step inside the current pipeline run, or call the function where there is none."""
        workbench = current_workbench()
        if workbench is None:
            return self.function(*args, **kwargs)
        bound = signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        result: R = workbench.run_step(self, bound.arguments)  # type: ignore[assignment, arg-type]  # the engine hands back what the function returned
        return result


class Pipeline(Generic[P, R]):
    """A function that calls steps; its parameters are the pipeline's parameters."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.name = function.__name__
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as it is. ``mlwright run`` calls it inside a recorded run."""
        return self.function(*args, **kwargs)

    def bind(self, given: Mapping[str, object]) -> dict[str, object]:
        """Complete the parameters with their defaults.

        Raises:
            UsageError: a parameter is unknown or missing; all are named.
        """
        known = signature(self.function).parameters
        unknown = [name for name in given if name not in known]
        if unknown:
            near = near_match(unknown[0], known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageError(
                f"pipeline {self.name!r} has no parameter {', '.join(map(repr, unknown))}{hint}",
                why=f"its parameters are {', '.join(known)}",
            )
        missing = [n for n, p in known.items() if p.default is Parameter.empty and n not in given]
        if missing:
            raise UsageError(
                f"pipeline {self.name!r} needs {', '.join(missing)}",
                next_command=f"mlwright run {self.name} " + " ".join(f"-p {name}=…" for name in missing),
            )
        defaults = {n: p.default for n, p in known.items() if p.default is not Parameter.empty}
        return {**defaults, **given}


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *, retries: int = 0, timeout: str | None = None, checkpoint: bool = True
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    retries: int = 0,
    timeout: str | None = None,
    checkpoint: bool = True,
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a function a step of pipelines.

    Args:
        function: the function, where the decorator is used without brackets.
        retries: how many more times a call that raised is tried, after 1, 2, 4 … seconds.
        timeout: the longest time of one try, such as ``"30m"``.
        checkpoint: keep the result under the digest of code and arguments, and use it instead of calling again.
    """
    limit = parse_duration(timeout) if timeout is not None else None
    policy = StepPolicy(retries=retries, timeout=limit, checkpoint=checkpoint)
    if function is not None:
        return Step(function, policy)
    return lambda wrapped: Step(wrapped, policy)


def pipeline(function: Callable[P, R]) -> Pipeline[P, R]:
    """Make a function a pipeline that ``mlwright run`` can find by its name."""
    return Pipeline(function)


def gate(passed: bool, what: str) -> None:
    """Stop the pipeline unless something holds; either way the run records it.

    Args:
        passed: whether it holds.
        what: the sentence that must be true, such as "beats the baseline".

    Raises:
        GateFailed: it does not hold.
    """
    workbench = current_workbench()
    if workbench is not None:
        workbench.record_gate(what, passed=bool(passed))
    if not passed:
        raise GateFailed(f"gate not passed: {what}", next_command="mlwright runs")
