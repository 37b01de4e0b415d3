"""All fixes that there are."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from mlwright.engineer import fixes
from mlwright.engineer.fixes.shape import Fix
from mlwright.errors import NotFound


def all_fixes() -> tuple[Fix, ...]:
    """The fixes in the order in which they are planned."""
    found = [
        module.FIX
        for each in pkgutil.iter_modules(fixes.__path__, f"{fixes.__name__}.")
        if hasattr(module := import_module(each.name), "FIX")
    ]
    return tuple(sorted(found, key=lambda fix: (fix.rank, fix.id)))


def named(ids: Iterable[str]) -> tuple[Fix, ...]:
    """The fixes of these ids, in the order in which they are planned; all of them for no id.

    Raises:
        NotFound: there is none of that name; the nearest is suggested.
    """
    known = {fix.id: fix for fix in all_fixes()}
    wanted = tuple(ids)
    for id in wanted:
        if id not in known:
            raise NotFound.named("fix", id, list(known), f"mlwright assess --fix {','.join(known)}")
    return tuple(fix for id, fix in known.items() if not wanted or id in wanted)
