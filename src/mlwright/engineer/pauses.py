"""Pausing Python's cycle collector while millions of facts are made and read."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector(*, for_good: bool = False) -> Iterator[None]:
    """No search for reference cycles inside: facts have none, and each search walks through all of them.

    Measured on a repository of 5,000 files: a third of the time of judging. Of threads that overlap the last one to
    leave switches it on again.

    Args:
        for_good: what was made inside is never searched, as fits a process that ends soon.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        if was_on:
            gc.enable()
