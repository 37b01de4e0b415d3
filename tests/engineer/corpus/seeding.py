"""Seeded faults: one for each of the 28 tests of the ML Test Score, and what they do to the items."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from tests.engineer.corpus.reading import FOLDER, PROBES, Case, cases, facts, report

from mlwright.engineer.rubrics.catalogue import view
from mlwright.engineer.rubrics.items import Seen
from mlwright.engineer.rubrics.ml_test_score import ML_TEST_SCORE
from mlwright.engineer.scoring import readiness
from mlwright.model.assessment import Item

HEALTHY: Final = "healthy-churn"
ELSEWHERE: Final = frozenset(probe.id for probe in PROBES.values() if probe.elsewhere)


@dataclass(frozen=True, slots=True)
class Scored:
    """The 28 items of a repository by id, and the lower end of its readiness."""

    items: Mapping[str, Item]
    low: float


def seeded() -> dict[str, Mapping[str, Any]]:
    """The fault of each item."""
    loaded = yaml.safe_load((FOLDER.parent / "seeded.yaml").read_text(encoding="utf-8"))
    return dict(loaded)


def healthy() -> Case:
    """The repository that faults are put into."""
    return next(case for case in cases() if case.name == HEALTHY)


def put_in(fault: Mapping[str, Any], root: Path) -> None:
    """Apply one fault to a copy.

    Raises:
        ValueError: what goes is not there.
    """
    for path in fault.get("delete") or ():
        (root / path).unlink()
    for path, text in (fault.get("add") or {}).items():
        (root / path).write_text(text, encoding="utf-8")
    for path, pairs in (fault.get("replace") or {}).items():
        text = (root / path).read_text(encoding="utf-8")
        for old, new in pairs:
            if old not in text:
                raise ValueError(f"{path} does not hold {old!r}")
            text = text.replace(old, new)
        (root / path).write_text(text, encoding="utf-8")


def copied(place: Path, fault: Mapping[str, Any] | None = None) -> Path:
    """A copy of the healthy repository, with a fault or without."""
    root = place / HEALTHY
    shutil.copytree(healthy().folder, root, ignore=shutil.ignore_patterns(".ruff_cache", "__pycache__"))
    if fault is not None:
        put_in(fault, root)
    return root


def scored(root: Path) -> Scored:
    """Its items and readiness."""
    repository = facts(healthy(), root)
    found = report(repository)
    seen = Seen(findings=found, elsewhere=ELSEWHERE)
    items = view(ML_TEST_SCORE, repository.profile, seen).sections
    return Scored(
        items={item.id: item for section in items for item in section.items},
        low=readiness(found.values(), PROBES).low,
    )
