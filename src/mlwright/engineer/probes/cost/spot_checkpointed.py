"""Does training survive the loss of a cheap machine?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import of_types, prop, truth
from mlwright.engineer.vocabulary.workloads import below, cluster_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_SPOT = (
    "use_spot_instances",
    "preemptible",
    "spot",
    "EnableManagedSpotTraining",
    "enable_managed_spot_training",
)
_WORDS = frozenset(each.lower() for each in _SPOT)
_SAVES = (
    "torch.save",
    "*.save_checkpoint",
    "*.save_state",
    "*ModelCheckpoint*",
    "*.save_weights",
    "*Checkpointer*",
)


def look(repository: Repository) -> Answer:
    """Look for spot machines, then for checkpoints."""
    spots = list(_spots(repository))
    if not spots:
        return no_question("no spot or preemptible machine is asked for")
    saves = [file.at(call) for file, call in repository.calls(*_SAVES)]
    saves += [
        file.at(call)
        for file in repository.production
        if "checkpoint_s3_uri" in file.words
        for call in file.calls
        if call.argument("checkpoint_s3_uri")
    ]
    if saves:
        return yes("training saves checkpoints", *saves[:5])
    return no("spot machines are asked for and no checkpoint is written", *spots)


def _spots(repository: Repository) -> list[Location]:
    found = [
        file.at(call)
        for file in repository.production
        if not _WORDS.isdisjoint(file.words)
        for call in file.calls
        for given in call.args
        if given.keyword in _SPOT and given.value is True
    ]
    for each in cluster_containers(repository, "Job", "CronJob", "PyTorchJob"):
        selector = below(each.pod, "nodeSelector")
        if isinstance(selector, dict) and any(
            "spot" in f"{key}{value}".lower() for key, value in selector.items()
        ):
            found.append(each.at)
    for resource in of_types(repository, ("aws_sagemaker_training_job", "google_compute_instance")):
        if truth(prop(resource, *_SPOT)) is True:
            found.append(resource.at)
    return found


PROBE = Probe(
    id="cost.spot_checkpointed",
    title="training on spot machines saves checkpoints",
    why="A spot machine that is taken away at 95 % costs the whole run again.",
    remedy="save a checkpoint each epoch to object storage and resume from the newest one",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="AWS Machine Learning Lens MLCOST-18, managed spot training",
)
