"""Does a policy allow everything?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import text
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ADMIN = ("AdministratorAccess", "roles/owner", "roles/editor")


def look(repository: Repository) -> Answer:
    """Read the statements of every IAM resource."""
    policies = [each for each in repository.resources if _is_iam(each.type)]
    if not policies:
        return no_question("no IAM policy as code here")
    wide = [(each, said) for each in policies if (said := _wide(each.properties))]
    if wide:
        first, said = wide[0]
        evidence = f"{first.type} {first.name} {said}"
        return no(evidence, *(each.at for each, _ in wide), policies=len(policies), wide=len(wide))
    return yes(f"{len(policies)} policies, none allows everything", *(each.at for each in policies))


def _is_iam(type: str) -> bool:
    low = type.lower()
    return "iam" in low and any(word in low for word in ("policy", "role", "member", "binding"))


def _wide(properties: Plain) -> str:
    for tree in _trees(properties):
        effect = text(tree.get("Effect", tree.get("effect", "Allow")))
        actions = _texts(tree.get("Action", tree.get("actions")))
        resources = _texts(tree.get("Resource", tree.get("resources")))
        if effect == "Allow" and "*" in actions and "*" in resources:
            return "allows every action on every resource"
        for key in ("policy_arn", "role", "ManagedPolicyArns", "managed_policy_arns"):
            for given in _texts(tree.get(key)):
                if given.endswith(_ADMIN):
                    return f"grants {given.rpartition('/')[2]}"
    return ""


def _trees(tree: Plain, depth: int = 8) -> Iterator[dict[str, Plain]]:
    if depth == 0:
        return
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _trees(value, depth - 1)
    elif isinstance(tree, list):
        for value in tree:
            yield from _trees(value, depth - 1)


def _texts(value: Plain) -> list[str]:
    return [text(each) for each in (value if isinstance(value, list) else [value])]


PROBE = Probe(
    id="cloud.iam_narrow",
    title="no IAM policy allows everything",
    why="One leaked key of a role that may do everything is the whole account.",
    remedy="list the actions and the bucket or endpoint ARNs that the job uses",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="AWS Machine Learning Lens, least privilege; CIS AWS Foundations 1.16",
)
