"""Remembering what was worked out of a repository: many probes ask the same of the same facts."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_KEPT: Final = 8


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Keep the last answers of a function of frozen facts, by the identity of its first argument.

    Facts are too large to be hashed. The argument is kept beside its answer, so that its identity cannot be another's;
    further arguments must be hashable, and the answer must be frozen too.
    """
    kept: OrderedDict[tuple[object, ...], tuple[object, T]] = OrderedDict()

    @wraps(function)
    def remembering(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (id(args[0]), args[1:], tuple(sorted(kwargs.items())) if kwargs else ())
        found = kept.get(key)
        if found is not None and found[0] is args[0]:
            return found[1]
        answer = function(*args, **kwargs)
        kept[key] = (args[0], answer)
        while len(kept) > _KEPT:
            try:
                kept.popitem(last=False)
            except KeyError:  # another thread was faster
                break
        return answer

    return remembering
