"""The question how to deploy: which model there is, which way fits, and what to measure first."""

from collections.abc import Sequence
from typing import Final

from mlwright.engineer.asking.seen import Seen, any_of, places_text
from mlwright.engineer.asking.ways import Reason, Way, choices
from mlwright.engineer.asking.words import tokens
from mlwright.engineer.facts.code import Role
from mlwright.model.answers import Choice, NextCommand, Statement
from mlwright.model.findings import Effort, Location

ABOUT: Final = (
    "serving.*",
    "model.format_safe",
    "model.signature_recorded",
    "data.validated_when_served",
    "container.present",
    "container.non_root",
    "release.canary",
    "release.rollback",
    "monitoring.slo",
    "monitoring.metrics",
    "monitoring.predictions_logged",
    "cost.requests_set",
    "cost.autoscaling_bounded",
)

_FRAMEWORKS: Final = {
    "PyTorch": ("torch", "pytorch_lightning", "lightning"),
    "TensorFlow or Keras": ("tensorflow", "keras"),
    "scikit-learn": ("sklearn",),
    "XGBoost": ("xgboost",),
    "LightGBM": ("lightgbm",),
    "CatBoost": ("catboost",),
    "transformers": ("transformers",),
    "JAX": ("jax", "flax"),
}
_FORMATS: Final = {
    "PyTorch checkpoint": ("*.pt", "*.pth", "*.ckpt"),
    "ONNX": ("*.onnx",),
    "safetensors": ("*.safetensors",),
    "pickle or joblib": ("*.pkl", "*.pickle", "*.joblib"),
    "skops": ("*.skops",),
    "booster": ("*.xgb", "*.ubj", "*.lgb", "*.cbm"),
    "MLflow model": ("MLmodel",),
}
_BATCH_WORDS: Final = frozenset("batch nightly offline daily".split())

WAYS: Final = (
    Way(
        name="mlwright",
        what="The embedded endpoint: mlwright deploy, mlwright up",
        good=(
            "predictions are logged, labels joined, rollouts judged and rolled back; speaks the "
            "Open Inference Protocol"
        ),
        bad="this version loads scikit-learn models only; one machine, local address, CPU",
        effort=Effort.HOURS,
        cost="none besides the machine that it runs on",
        command="mlwright up",
        packages=("mlwright",),
        small=2,
    ),
    Way(
        name="FastAPI",
        what="Your own server: FastAPI and uvicorn in a container",
        good="full control, any framework, easy to test; good for one model with custom logic",
        bad="batching, versions, prediction log, metrics and rollout are yours to write and to keep",
        effort=Effort.DAYS,
        cost="a container that runs all the time",
        command='pip install "fastapi[standard]"',
        packages=("fastapi", "flask", "starlette", "litestar"),
        small=1,
    ),
    Way(
        name="BentoML",
        what="BentoML",
        good="any Python framework; adaptive batching, packaging and metrics are there",
        bad="its own packaging and service classes in your code; monitoring of quality is yours",
        effort=Effort.DAYS,
        cost="a container that runs all the time, or the vendor's plan",
        command="pip install bentoml",
        packages=("bentoml",),
        small=1,
    ),
    Way(
        name="Triton",
        what="NVIDIA Triton Inference Server",
        good="dynamic batching and several models on one GPU; PyTorch, ONNX and TensorRT; Open Inference Protocol",
        bad="models have to be exported and configured; large images; little use without heavy load or a GPU",
        effort=Effort.DAYS,
        cost="a GPU machine that runs all the time pays only under steady load",
        command=(
            "docker run --rm -p 8000:8000 -v $PWD/models:/models "
            "nvcr.io/nvidia/tritonserver:24.08-py3 tritonserver --model-repository=/models"
        ),
        packages=("tritonclient",),
    ),
    Way(
        name="KServe",
        what="KServe on Kubernetes",
        good="canary shares, autoscaling and several runtimes by declaration; Open Inference Protocol",
        bad="a cluster with its networking and people who look after it; cold starts with scale to zero",
        effort=Effort.WEEKS,
        cost="a Kubernetes cluster; scale to zero saves, and the first request waits",
        command="kubectl get inferenceservices --all-namespaces",
        packages=("kserve",),
        kinds=("InferenceService", "ServingRuntime", "ClusterServingRuntime"),
        cluster=2,
        small=-2,
        large=1,
    ),
    Way(
        name="The cloud's own endpoint",
        what="SageMaker, Vertex AI or Azure ML endpoint",
        good="nothing to operate; autoscaling and variants are there",
        bad="ties you to that cloud; an idle endpoint costs what a busy one costs",
        effort=Effort.DAYS,
        cost="paid by the hour, used or not",
        command="pip install sagemaker",
        packages=("sagemaker", "google.cloud.aiplatform", "azure.ai.ml"),
        resources=("aws_sagemaker", "google_vertex_ai", "azurerm_machine_learning"),
    ),
    Way(
        name="Batch scoring",
        what="No endpoint: score in batches on a schedule and store the results",
        good="cheapest and simplest where the inputs are known hours ahead; easy to repeat and to check",
        bad="no answer for what came after the last batch",
        effort=Effort.HOURS,
        cost="paid only while the job runs",
        command="python score.py",
        small=1,
    ),
)


def deploy_choices(seen: Seen) -> tuple[Choice, ...]:
    """The ways to serve that fit, the nearest first."""
    return choices(WAYS, seen, _special)


def _special(way: Way, seen: Seen) -> Sequence[Reason]:
    return _SPECIAL[way.name](seen) if way.name in _SPECIAL else ()


def _for_mlwright(seen: Seen) -> list[Reason]:
    other = [(name, at) for name, at in frameworks(seen) if name != "scikit-learn"]
    if other:
        name, at = other[0]
        text = f"{name} is used, and this version of mlwright loads scikit-learn models only"
        return [Reason(weight=-6, text=text, places=at[:1])]
    found = [at for name, at in frameworks(seen) if name == "scikit-learn"]
    return (
        [Reason(weight=3, text="scikit-learn is used, which it serves", places=found[0][:1])] if found else []
    )


def _for_triton(seen: Seen) -> list[Reason]:
    reasons = []
    gpu = gpu_places(seen)
    if gpu:
        reasons.append(Reason(weight=3, text="a GPU is asked for", places=gpu))
    else:
        reasons.append(Reason(weight=-1, text="no GPU is asked for in any file"))
    deep = [at for name, at in frameworks(seen) if name in ("PyTorch", "TensorFlow or Keras", "transformers")]
    if deep:
        reasons.append(Reason(weight=1, text="a framework that it runs is used", places=deep[0][:1]))
    return reasons


def _for_batch(seen: Seen) -> list[Reason]:
    words = tokens(seen.question)
    if ("real" in words and "time" in words) or "realtime" in words:
        return [Reason(weight=-4, text="the question asks for real-time answers")]
    if any_of(_BATCH_WORDS, words):
        return [Reason(weight=4, text="the question asks for batches")]
    return []


_SPECIAL: Final = {"mlwright": _for_mlwright, "Triton": _for_triton, "Batch scoring": _for_batch}


def frameworks(seen: Seen) -> tuple[tuple[str, tuple[Location, ...]], ...]:
    """The frameworks in use, with places."""
    return tuple((name, at) for name, packages in _FRAMEWORKS.items() if (at := seen.uses(*packages)))


def gpu_places(seen: Seen) -> tuple[Location, ...]:
    """Containers that ask for a GPU."""
    return tuple(
        each.at for each in seen.repository.containers if "gpu" in str(each.spec.get("resources", "")).lower()
    )[:3]


def deploy_facts(seen: Seen) -> tuple[Statement, ...]:
    """Framework, files of models, GPU, manifests."""
    said = [Statement(text=f"{name} is used{places_text(at)}.", places=at) for name, at in frameworks(seen)]
    for name, patterns in _FORMATS.items():
        files = [each for each in seen.repository.find(*patterns) if each.role is not Role.TEST]
        if files:
            at = tuple(Location(path=each.path) for each in files[:3])
            said.append(
                Statement(text=f"Model files of the form {name}: {len(files)}{places_text(at)}.", places=at)
            )
    gpu = gpu_places(seen)
    if gpu:
        said.append(Statement(text=f"A GPU is asked for{places_text(gpu)}.", places=gpu))
    services = seen.repository.objects("InferenceService", "Deployment", "StatefulSet", "Rollout")
    if services:
        names = ", ".join(f"{each.kind} {each.name}" for each in services[:4])
        said.append(
            Statement(text=f"Kubernetes workloads: {names}.", places=tuple(each.at for each in services[:4]))
        )
    return tuple(said)


ADVICE: Final = (
    (
        "Measure the service time of real requests first; the number of replicas and the machine follow from it.",
        "Harchol-Balter, Performance Modeling and Design of Computer Systems, 2013",
    ),
    (
        (
            "Load the logged model in a clean environment and compare its answers with those of "
            "training before any traffic: deployments often fail there."
        ),
        "mlflow issues 5265 and 14024, kserve issue 4122",
    ),
)
TORCH_ADVICE: Final = (
    (
        (
            "Call model.eval() and predict within torch.inference_mode(); dropout and batch norm "
            "behave differently otherwise."
        ),
        "PyTorch documentation, autograd mechanics",
    ),
    (
        "Load state dictionaries with weights_only=True, or ship safetensors: a full checkpoint is a pickle.",
        "PyTorch documentation, torch.load",
    ),
    ("Do not begin with TorchServe: it is no longer maintained.", "pytorch/serve issue 3396"),
    (
        "Several workers that each use all cores slow one another down: set the number of threads per worker.",
        "PyTorch documentation, CPU threading",
    ),
)
QUESTIONS: Final = (
    "How many requests come in the busiest minute, and how long may the slowest 1 % take?",
    "How large is one request, and may requests be answered together (batched)?",
    "What happens if the endpoint is down for a minute?",
)


def deploy_commands(seen: Seen) -> tuple[NextCommand, ...]:
    """What to type."""
    if seen.has_project:
        return (
            NextCommand(command="mlwright models", why="the versions that can be deployed"),
            NextCommand(
                command="mlwright deploy ENDPOINT MODEL/VERSION",
                why="put the first version behind an endpoint",
            ),
            NextCommand(command="mlwright up", why="serve it, watch it, and keep its predictions"),
        )
    return (
        NextCommand(
            command="mlwright review .", why="the deployment files that are here, before anybody calls them"
        ),
        NextCommand(
            command="mlwright demo --months 2", why="a served, monitored and rolled-out model, to look at"
        ),
    )
