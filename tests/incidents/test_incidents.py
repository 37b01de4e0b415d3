"""Incidents of which the cause is known: the verdict is a right one, and never a sure wrong one.

What runs here is a part that holds every class of fault and every world; ``bench/incidents.py`` runs all of them with
several seeds, and counts them on docs/benchmarks.md.
"""

from collections import Counter

import pytest

from .corpus import INCIDENTS, Incident, Kind, daily
from .running import run
from .worlds import GENERATED, HELD_OUT, SOURCES, absent

KNOWN_MISSES: dict[str, str] = {}
"""Incidents whose verdict is not a right one, though never a sure wrong one, and why. This may only shrink."""


def test_the_corpus_is_broad() -> None:
    assert len(INCIDENTS) >= 60
    assert len({each.name for each in INCIDENTS}) == len(INCIDENTS)
    worlds = Counter(each.world for each in INCIDENTS)
    assert len(GENERATED & set(worlds)) >= 4
    assert len({SOURCES[name] for name in worlds if name in SOURCES}) >= 3
    assert {each.kind for each in INCIDENTS} == set(Kind)
    assert {each.kind for each in daily()} == set(Kind)
    assert {each.world for each in daily()} == set(worlds)
    assert min(sum(bool(each.copy) is copy for each in daily()) for copy in (True, False)) >= 10
    assert len(HELD_OUT & set(worlds)) >= 2
    assert sum(bool(each.copy) for each in INCIDENTS) >= 25
    assert sum(not each.copy for each in INCIDENTS) >= 25
    assert not set(KNOWN_MISSES) - {each.name for each in INCIDENTS}


@pytest.mark.slow
@pytest.mark.parametrize("incident", daily(), ids=lambda incident: incident.name)
def test_an_incident_is_told(incident: Incident) -> None:
    reason = absent(incident.world)
    if reason:
        pytest.skip(reason)
    judged = run(incident)
    said = f"{judged.verdict} ({'sure' if judged.sure else 'not sure'}; {judged.named}): {judged.summary}"
    assert not judged.wrong, f"sure, and wrong: {said}"
    if incident.name in KNOWN_MISSES:
        assert not judged.right, f"no longer a miss, take it out of KNOWN_MISSES: {said}"
    else:
        wanted = ", ".join(incident.accept)
        assert judged.right, f"{said}; right would be: {wanted} {incident.columns}. {incident.why}"
