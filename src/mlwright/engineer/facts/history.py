"""What git knows of a repository, as facts."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest commits (at most ``limit``) and what is tracked.

    ``tracked`` are the paths of the index; ``dirty`` is None where it was not looked for. ``shallow`` tells that older
    commits are missing from this clone.
    """

    head: str
    commits: int
    limit: int
    authors: int
    first: datetime
    last: datetime
    merges: int
    tags: tuple[str, ...]
    shallow: bool
    tracked: frozenset[str]
    remotes: tuple[str, ...] = ()
