"""Every probe answers the cases of its fixture; every probe has one, with a pass, a fault and something in between.

A fixture is ``probes/<probe id>.yaml``. Its cases hold ``files`` and the ``outcome`` that they must give; ``at`` are
places that must be among the finding's, ``not_at`` places that must not; ``evidence`` and ``remedy`` are texts that
must stand there. ``server``, ``scans`` and ``history`` are mappings of the values of these names; ``kind``, ``trains``
and ``serves`` force the profile, where the case is not about it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from mlwright.engineer.catalogue import own_probes
from mlwright.engineer.facts.history import History
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.engineer.probe import When
from mlwright.engineer.probing import ask
from mlwright.model.assessment import RepositoryKind
from mlwright.model.findings import Finding, Outcome
from mlwright.model.scans import Scan

FOLDER = Path(__file__).parent / "probes"
PROBES = {probe.id: probe for probe in own_probes()}
KEYS = frozenset(
    (
        *("name", "outcome", "files", "at", "not_at", "evidence", "remedy"),
        *("server", "scans", "history", "kind", "trains", "serves"),
    )
)
GIT = {
    "head": "0" * 40,
    "commits": 10,
    "limit": 2000,
    "authors": 2,
    "first": "2026-01-01T00:00:00Z",
    "last": "2026-03-01T00:00:00Z",
    "merges": 0,
    "tags": (),
    "shallow": False,
}

Facts = Callable[..., Repository]


def fixture(id: str) -> Mapping[str, Any]:
    path = FOLDER / f"{id}.yaml"
    return (
        yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        if path.exists()
        else {"cases": []}
    )


def cases() -> Iterator[Any]:
    for id in sorted(PROBES):
        for case in fixture(id)["cases"]:
            yield pytest.param(id, case, id=f"{id}-{case['name']}".replace(" ", "_"))


def answer(id: str, case: Mapping[str, Any], facts_of: Facts) -> Finding:
    assert set(case) <= KEYS, f"unknown keys: {sorted(set(case) - KEYS)}"
    files = case.get("files") or {}
    server = msgspec.convert(case["server"], ServerFacts) if case.get("server") else None
    scans = msgspec.convert(case.get("scans") or [], list[Scan])
    repository = facts_of(files, server=server, scans=scans)
    if case.get("history") is not None:
        history = {**GIT, "tracked": sorted(files), **case["history"]}
        repository = replace(repository, history=msgspec.convert(history, History))
    (finding,) = ask(replace(repository, profile=profile(case, repository)), [PROBES[id]])
    return finding


def profile(case: Mapping[str, Any], repository: Repository) -> Any:
    forced = {key: bool(case[key]) for key in ("trains", "serves") if key in case}
    kind = case.get("kind", "application" if any(forced.values()) else None)
    return replace(repository.profile, **forced, **({"kind": RepositoryKind(kind)} if kind else {}))


@pytest.mark.parametrize(("id", "case"), list(cases()))
def test_a_probe_answers_its_cases(id: str, case: Mapping[str, Any], facts_of: Facts) -> None:
    found = answer(id, case, facts_of)
    assert found.outcome == Outcome(str(case["outcome"]).lower()), f"{found.evidence} {found.locations}"
    places = {str(each) for each in found.locations}
    wanted = set(case.get("at") or ())
    assert wanted <= places, f"not among {sorted(places)}: {sorted(wanted - places)}"
    assert not places & set(case.get("not_at") or ()), sorted(places)
    for field in ("evidence", "remedy"):
        assert str(case.get(field) or "").lower() in getattr(found, field).lower(), getattr(found, field)


@pytest.mark.parametrize("id", sorted(PROBES))
def test_every_probe_has_a_pass_a_fault_and_something_between(id: str) -> None:
    assert fixture(id).get("probe", id) == id
    outcomes = [str(case["outcome"]).lower() for case in fixture(id)["cases"]]
    assert len(outcomes) >= 3, f"{id} has {len(outcomes)} cases"
    assert "true" in outcomes
    if PROBES[id].when is not When.RUNNING:
        assert {"false", "not_available"} & set(outcomes)
    names = [case["name"] for case in fixture(id)["cases"]]
    assert len(set(names)) == len(names)


def test_every_fixture_has_a_probe() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem not in PROBES) == []
