"""Running the steps of one pipeline run: checkpoints, retries, and a record of each call."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlwright.errors import MlwrightError, StepFailed
from mlwright.model.ids import Digest
from mlwright.ports.executor import Executor
from mlwright.stages.pipelines.define import Step
from mlwright.stages.pipelines.values import KnownDigests, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """What happened to one call of a step."""

    step: str
    outcome: str
    """``ran``, ``from checkpoint`` or ``failed``."""
    tries: int
    seconds: float
    key: str | None


class Checkpoints:
    """Where results of steps are kept between runs. The platform supplies both functions."""

    def __init__(
        self,
        find: Callable[[str], tuple[object, Digest] | None],
        keep: Callable[[str, str, object], Digest | None],
    ) -> None:
        self.find = find
        """key → the kept result and its digest, or None."""
        self.keep = keep
        """key, step, result → the digest it was kept under, or None where it cannot be kept."""


@dataclass(slots=True, kw_only=True)
class StepRunner:
    """Runs the calls of one run, in order."""

    executor: Executor
    checkpoints: Checkpoints
    code: Digest
    on_call: Callable[[StepCall], None]
    pause: Callable[[float], None] = time.sleep
    known: KnownDigests = field(default_factory=KnownDigests)

    def run(self, step: Step[..., object], arguments: Mapping[str, object]) -> object:
        """Run one call: from its checkpoint if code and arguments are the same, else by its function.

        Raises:
            StepFailed: the function raised at every try; the last error is chained.
            MlwrightError: the function raised one of ours, which is never tried again.
        """
        key = key_of(step.name, self.code, arguments, self.known) if step.policy.checkpoint else None
        kept = self.checkpoints.find(key) if key else None
        if kept is not None:
            value, digest = kept
            self.known.remember(value, digest)
            self.on_call(StepCall(step=step.name, outcome="from checkpoint", tries=0, seconds=0.0, key=key))
            return value
        started = time.perf_counter()
        value, tries = self._try(step, arguments, key, started)
        if key:
            digest_or_none = self.checkpoints.keep(key, step.name, value)
            if digest_or_none:
                self.known.remember(value, digest_or_none)
        seconds = time.perf_counter() - started
        self.on_call(StepCall(step=step.name, outcome="ran", tries=tries, seconds=seconds, key=key))
        return value

    def _try(
        self, step: Step[..., object], arguments: Mapping[str, object], key: str | None, started: float
    ) -> tuple[object, int]:
        limit = step.policy.timeout.total_seconds() if step.policy.timeout else None
        for tries in range(1, step.policy.retries + 2):
            try:
                return (
                    self.executor.run(lambda: step.function(**arguments), name=step.name, timeout_s=limit),
                    tries,
                )
            except MlwrightError:
                raise
            except Exception as error:
                if tries <= step.policy.retries:
                    self.pause(2.0 ** (tries - 1))
                    continue
                seconds = time.perf_counter() - started
                self.on_call(
                    StepCall(step=step.name, outcome="failed", tries=tries, seconds=seconds, key=key)
                )
                times = "once" if tries == 1 else f"{tries} times"
                raise StepFailed(
                    f"step {step.name!r} failed {times}: {type(error).__name__}: {error}",
                    next_command="mlwright runs --failed",
                ) from error
        raise AssertionError("unreachable: the loop returns or raises")
