"""Is a GPU paid for that nothing uses?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.workloads import below, cluster_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_USERS = tuple(
    "torch tensorflow jax cupy cudf cuml vllm transformers onnxruntime xgboost lightgbm catboost tritonclient "
    "sentence_transformers diffusers numba paddle mxnet".split()
)


def look(repository: Repository) -> Answer:
    """Compare what workloads ask for with what the code imports."""
    asking = [each for each in cluster_containers(repository) if _gpu(each)]
    if not asking:
        return no_question("no workload asks for a GPU")
    if not repository.production:
        return no_question("the code of the workload is not here")
    users = list(repository.importing(*_USERS))
    if users or any(each.name.replace("-", "_") in _USERS for each in repository.requirements):
        return yes("a framework that can use a GPU is imported", *users[:3])
    return no(
        "a GPU is asked for, and no framework that could use one is imported", *(each.at for each in asking)
    )


def _gpu(container: Container) -> bool:
    both = (below(container.spec, "resources", part) for part in ("limits", "requests"))
    return any("gpu" in str(key).lower() for part in both if isinstance(part, dict) for key in part)


PROBE = Probe(
    id="cost.gpu_needed",
    title="GPUs are asked for only where something uses them",
    why="A GPU that a tree model never touches is the largest line of the bill.",
    remedy="drop the nvidia.com/gpu limit, or move the model to a framework that uses it",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="AWS Machine Learning Lens MLCOST-29",
)
