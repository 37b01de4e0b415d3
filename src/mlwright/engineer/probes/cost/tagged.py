"""Can the bill be told apart?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import INSTANCES, of_types, prop
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for tags at what costs money, or default tags of the provider."""
    costly = of_types(repository, INSTANCES)
    if not costly:
        return no_question("no cloud resource that costs money here")
    default = [
        each
        for each in repository.resources
        if each.type.startswith("terraform.provider") and prop(each, "default_tags", "default_labels")
    ]
    if default:
        return yes("the provider tags everything", default[0].at)
    bare = [each for each in costly if not prop(each, "tags", "Tags", "labels", "user_labels")]
    if bare:
        evidence = f"{len(bare)} of {len(costly)} carry no tag: {bare[0].type} {bare[0].name}"
        return no(evidence, *(each.at for each in bare), bare=len(bare))
    return yes(f"{len(costly)} resources, all tagged", *(each.at for each in costly))


PROBE = Probe(
    id="cost.tagged",
    title="cloud resources carry tags that tell whose bill they are",
    why="Nobody switches off what nobody can name.",
    remedy="add default_tags with owner, model and environment to the provider",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="AWS Machine Learning Lens MLCOST-20",
)
