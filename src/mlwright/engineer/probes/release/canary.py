"""Does a new model meet a few requests before it meets all?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a rollout in steps."""
    return shown(
        _steps(repository),
        "new versions go out in steps",
        "nothing sends a new version a part of the traffic",
    )


def _steps(repository: Repository) -> Iterator[Sign]:
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        endpoints = document.get("endpoint")
        for number, each in enumerate(endpoints if isinstance(endpoints, list) else []):
            if isinstance(each, dict) and each.get("rollout"):
                yield f"rollout of endpoint {each.get('name')}", document.at("endpoint", number, "rollout")
    for found in repository.objects("Canary"):
        yield f"Canary {found.name}", found.at
    for found in repository.objects("Rollout"):
        if found.document.get("spec", "strategy", "canary") is not None:
            yield f"Rollout {found.name}", found.at
    for found in repository.objects("InferenceService"):
        if found.document.get("spec", "predictor", "canaryTrafficPercent") is not None:
            yield f"InferenceService {found.name} has canaryTrafficPercent", found.at
    for found in repository.objects("VirtualService", "HTTPRoute", "TraefikService", "SeldonDeployment"):
        if "weight" in str(found.document.data) or "traffic" in str(found.document.data):
            yield f"{found.kind} {found.name} splits traffic", found.at
    yield from _in_clouds(repository)
    yield from signs(
        repository, files=("*canary*.y*ml", "*canary*.py", "*canary*.sh", "*canary*.tf"), robots=("canary",)
    )


def _in_clouds(repository: Repository) -> Iterator[Sign]:
    """Deployments in steps, and endpoints whose variants share the traffic."""
    for resource in of_types(
        repository, ("aws_sagemaker_endpoint", "AWS::SageMaker::Endpoint", "aws_lambda_alias")
    ):
        if prop(resource, "deployment_config", "DeploymentConfig", "routing_config"):
            yield f"{resource.type} {resource.name} deploys in steps", resource.at
    for resource in of_types(
        repository, ("aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig")
    ):
        variants = prop(resource, "production_variants", "ProductionVariants")
        if isinstance(variants, list) and len(variants) >= 2:
            yield f"{resource.type} {resource.name} has {len(variants)} variants", resource.at


PROBE = Probe(
    id="release.canary",
    title="a new version meets a part of the traffic first",
    why="A model that is worse than its offline figures hurts every user at once.",
    remedy='mlwright rollout start ENDPOINT MODEL/VERSION (steps = ["shadow", "10%", "50%"]), Argo Rollouts or Flagger',
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.DAYS,
    elsewhere=True,
    source="ML Test Score Infra 6",
)
