"""Telling somebody who waits how far the reading has come."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""What is being read, how much of it is done, how much there is; called often, from the thread that collects."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""
