"""Does the endpoint speak a protocol that others know?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        packages=(
            "mlserver",
            "kserve",
            "bentoml",
            "tritonclient",
            "ray.serve",
            "litserve",
            "mlwright",
            "vllm",
            "seldon_core",
            "openllm",
            "truss",
            "triton_python_backend_utils",
            "ts.torch_handler",
        ),
        objects=(
            "InferenceService",
            "SeldonDeployment",
            "ServingRuntime",
            "ClusterServingRuntime",
            "RayService",
        ),
        files=("model-settings.json", "config.pbtxt", "bentofile.yaml", "mlwright.toml"),
        robots=("mlflow models serve",),
    )
    return shown(found, "a known protocol is spoken", "the endpoint has a form of its own")


PROBE = Probe(
    id="serving.standard_protocol",
    title="the endpoint speaks a protocol of the field",
    why="A home-made JSON form needs a home-made client, load test and gateway for each model.",
    remedy="serve the Open Inference Protocol (mlwright up, KServe, Triton, MLServer) beside your own route",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    source="Open Inference Protocol v2",
)
