"""What CI, pre-commit and other robots do here: one way for probes to ask "does a machine run this?"."""

import re
from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, no, yes
from mlwright.model.findings import Location


def automated(repository: Repository, *words: str) -> Iterator[tuple[str, Location]]:
    """Where CI steps or pre-commit hooks name one of these words (regular expressions, any case)."""
    wanted = re.compile("|".join(words), re.IGNORECASE)
    for workflow in repository.workflows:
        for step in workflow.running(*words):
            yield f"{workflow.host} job {step.job}", step.at
    for document in repository.of_kind(DocumentKind.PRE_COMMIT):
        repos = document.get("repos")
        for number, repo in enumerate(repos if isinstance(repos, list) else []):
            hooks = repo.get("hooks") if isinstance(repo, dict) else None
            ids = [
                hook.get("id")
                for hook in (hooks if isinstance(hooks, list) else [])
                if isinstance(hook, dict)
            ]
            names = [str(each) for each in (repo.get("repo") if isinstance(repo, dict) else "", *ids)]
            if any(wanted.search(name) for name in names):
                yield "pre-commit", document.at("repos", number)


def by_a_machine(repository: Repository, words: tuple[str, ...], holds: str, lacks: str) -> Answer:
    """Whether a machine runs one of these; ``holds`` is said with the first place, ``lacks`` without any."""
    found = list(automated(repository, *words))
    if found:
        return yes(f"{holds}: {found[0][0]}", *(place for _, place in found[:10]))
    return no(lacks)
