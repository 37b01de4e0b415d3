"""What an estimator of scikit-learn is made of, and how many threads it may take."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np
from threadpoolctl import ThreadpoolController

_SMALL_BATCH_ROWS: Final = 2_000
_OPENMP: Final = (
    "HistGradientBoosting",
    "KMeans",
    "MiniBatchKMeans",
    "BisectingKMeans",
    "KNeighbors",
    "Radius",
)


def estimators_in(model: object) -> Iterator[Any]:
    """Every estimator inside a model, itself first."""
    yield from _estimators(model, set())


def wants_openmp(parts: Iterable[object]) -> bool:
    """Whether one of these estimators predicts on the threads of OpenMP."""
    return any(type(each).__name__.startswith(_OPENMP) for each in parts)


def few_threads(rows: int) -> AbstractContextManager[object]:
    """One OpenMP thread for a small batch.

    Threads cost more than they save: 50 rows of 100 trees took 0.5 ms on one thread, and between 1 and 20 ms
    on two as soon as another process wanted the second core.
    """
    return _openmp().limit(limits=1) if rows <= _SMALL_BATCH_ROWS else nullcontext()


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


def _estimators(part: Any, seen: set[int]) -> Iterator[Any]:
    """Every estimator inside a model, itself first."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Mapping):
        inner = list(part.values())
    elif isinstance(part, list | tuple):
        inner = list(part)
    elif isinstance(part, np.ndarray):
        inner = part.ravel().tolist() if part.dtype == object else []
    elif hasattr(part, "__dict__") and not isinstance(part, type | ModuleType):
        if hasattr(part, "get_params"):
            yield part
        elif not type(part).__module__.startswith("sklearn."):
            return
        inner = list(vars(part).values())
    else:
        return
    for each in inner:
        yield from _estimators(each, seen)
