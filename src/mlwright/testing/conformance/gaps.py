"""How an engine admits that it does not keep a part of its port's contract.

A shared case is never skipped. An engine that cannot pass one overrides it, marks the override, and the
marker is a strict expected failure: the day the engine passes, the test run says so.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

Case = TypeVar("Case", bound=Callable[..., object])

_ATTRIBUTE = "_mlwright_gap"


def gap(reason: str) -> Callable[[Case], Case]:
    """Mark the override of a shared case as a known gap.

    Example::

        class TestSlowClock(ClockConformance):
            @gap("the device counts whole seconds")
            def test_keeps_microseconds(self, clock):
                super().test_keeps_microseconds(clock)
    """

    def mark(case: Case) -> Case:
        setattr(case, _ATTRIBUTE, reason)
        pytest.mark.xfail(strict=True, reason=f"gap: {reason}")(case)  # marks in place
        return case

    return mark


class Conformance:
    """Base of every exam: refuses a subclass that replaces a shared case without declaring a gap."""

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        for name, case in vars(cls).items():
            shared = name.startswith("test_") and any(hasattr(base, name) for base in cls.__mro__[1:])
            if shared and not hasattr(case, _ATTRIBUTE):
                raise TypeError(f"{cls.__name__}.{name} replaces a shared case: mark it with gap('why')")
