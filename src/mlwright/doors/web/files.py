"""The artifacts below a path, as a tree with sizes and addresses to get them from."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote

from mlwright.platform.tracking.facade import TrackingPlatform

_MOST = 400
"""Names in a tree."""
_OPEN = 12
"""Names in a folder up to which it stands open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One name: a file with its size in bytes and its address, or a folder with what is in it.

    ``rest`` counts the names of the folder that are not shown.
    """

    name: str
    href: str | None = None
    size: int | None = None
    inside: list["Branch"] = field(default_factory=list)
    is_folder: bool = False
    rest: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a folder stands open at first."""
        return len(self.inside) <= _OPEN


def tree(tracking: TrackingPlatform, place: str) -> list[Branch]:
    """What lies below a path of the artifact table; at most 400 names, those near the top first."""
    found: list[Branch] = []
    waiting = [(place, found)]
    left = _MOST
    while waiting:
        path, into = waiting.pop(0)
        entries = tracking.artifacts.list(path)
        for each in entries[:left]:
            name = PurePosixPath(each.path).name
            if each.is_folder:
                inside: list[Branch] = []
                into.append(Branch(name=name, is_folder=True, inside=inside))
                waiting.append((each.path, inside))
            else:
                into.append(Branch(name=name, href=address_of(each.path), size=each.size))
        if len(entries) > left:
            into.append(Branch(name="", rest=len(entries) - left))
        left = max(0, left - len(entries))
    return found


def address_of(path: str) -> str:
    """Where the tracking door sends a file from."""
    return "/api/2.0/mlflow-artifacts/artifacts/" + quote(path)
