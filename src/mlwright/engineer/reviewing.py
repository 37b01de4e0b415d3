"""The second pair of eyes: deployment files, generated or written by hand, read by the questions of one rubric."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Probe, When
from mlwright.engineer.rubrics.review import REVIEW
from mlwright.model.assessment import Profile, RepositoryKind

REASON: Final = "reviewed as files that deploy a model, whatever else they are"


def to_be_reviewed(repository: Repository) -> Repository:
    """The same facts, read as files that serve a model: what is asked of a service is asked of them.

    Whether something trains stays as it was recognised: deployment files alone train nothing.
    """
    profile = repository.profile
    served = Profile(
        kind=RepositoryKind.APPLICATION,
        trains=profile.trains and profile.kind is RepositoryKind.APPLICATION,
        serves=True,
        frameworks=profile.frameworks,
        tools=profile.tools,
        reasons=(REASON, *profile.reasons),
    )
    # Manifests beside no code are a part of something: what they do not hold may well stand where the code is.
    return replace(repository, profile=served, partial=not repository.production)


def review_probes(probes: Mapping[str, Probe]) -> dict[str, Probe]:
    """The questions of the review, and those that they come after; what runs is no question of files."""
    wanted = {id for id in _named() if id in probes and probes[id].when is not When.RUNNING}
    for id in tuple(wanted):
        after = probes[id].after
        while after is not None and after in probes:
            wanted.add(after)
            after = probes[after].after
    return {id: probe for id, probe in probes.items() if id in wanted}


def _named() -> Iterable[str]:
    for chapter in REVIEW.chapters:
        for check in chapter.checks:
            yield from check.names
