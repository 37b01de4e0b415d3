"""Containers that a cluster runs, and the judgement "each of them must"."""

from collections.abc import Callable
from typing import Final

from mlwright.engineer.facts.configuration import Container, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, no, no_question, yes
from mlwright.engineer.vocabulary.words import SHOWN

COMPOSE: Final = "compose"
LONG_RUNNING: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Pod")


def cluster_containers(repository: Repository, *kinds: str) -> tuple[Container, ...]:
    """Containers of Kubernetes workloads (of these kinds, where some are given), Compose services left out."""
    return tuple(
        each for each in repository.containers if each.kind != COMPOSE and (not kinds or each.kind in kinds)
    )


def own_containers(repository: Repository) -> tuple[Container, ...]:
    """Containers of the cluster but those of a model server that the platform adds: it knows how they run."""
    return tuple(
        each
        for each in cluster_containers(repository)
        if each.image or each.kind != "InferenceService" or below(each.spec, "securityContext") is not None
    )


def compose_containers(repository: Repository) -> tuple[Container, ...]:
    """The containers of Compose files."""
    return tuple(each for each in repository.containers if each.kind == COMPOSE)


def each_must(
    containers: tuple[Container, ...], fault: Callable[[Container], str], holds: str, nothing: str
) -> Answer:
    """Whether no container has a fault; ``fault`` says what is wrong with one, "" where nothing is.

    Args:
        containers: those in question.
        fault: what is wrong with a container, "" for nothing.
        holds: the evidence where all is well; ``{n}`` is their number.
        nothing: why the question does not arise without containers.
    """
    if not containers:
        return no_question(nothing)
    faults = [(each, said) for each in containers if (said := fault(each))]
    if not faults:
        return yes(
            holds.format(n=len(containers)),
            *(each.at for each in containers[:SHOWN]),
            containers=len(containers),
        )
    first, said = faults[0]
    more = f"; {len(faults) - 1} more" if len(faults) > 1 else ""
    places = tuple(each.at for each, _ in faults[:SHOWN])
    evidence = (
        f"{first.kind} {first.workload}, container {first.name}: {said}{more} ({len(containers)} looked at)"
    )
    return no(evidence, *places, containers=len(containers), faults=len(faults))


def below(tree: Plain, *keys: str) -> Plain:
    """The value below these keys of nested mappings, None where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def context(container: Container, key: str) -> Plain:
    """A value of the security context: the container's own, else the pod's."""
    own = below(container.spec, "securityContext", key)
    return own if own is not None else below(container.pod, "securityContext", key)
