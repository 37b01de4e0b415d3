"""Servers that come with what others have to write: metrics, health, a protocol, an image."""

import re
from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.signs import Sign, signs
from mlwright.model.findings import Location

_COUNTING: Final = (
    "bentoml", "mlserver", "kserve", "ray.serve", "seldon_core", "triton_python_backend_utils", "ts.torch_handler",
    "mlwright",
)  # fmt: skip
_OBJECTS: Final = ("InferenceService", "SeldonDeployment", "RayService", "LLMInferenceService")
_FILES: Final = ("config.pbtxt", "model-settings.json")
_IMAGES: Final = re.compile(
    r"tritonserver|torchserve|seldonio/mlserver|vllm/vllm|text-generation-inference|text-embeddings-inference"
)
_ENDPOINTS: Final = re.compile(
    r"sagemaker[_:/]+(endpoint[:/])?endpoint\b|vertex[_:/].*endpoint|ml(_|-|\.)?online(_|-)?endpoint"
    r"|machine_learning_online_endpoint|machinelearning.*onlineEndpoint|databricks_model_serving",
    re.IGNORECASE,
)
_FUNCTIONS: Final = ("aws_lambda_function", "AWS::Lambda::Function", "AWS::Serverless::Function")


def counting(repository: Repository) -> Iterator[Sign]:
    """Servers and clouds that count requests, errors and times by themselves."""
    yield from signs(repository, packages=_COUNTING, objects=_OBJECTS, files=_FILES)
    yield from _images(repository)
    yield from _mlwright(repository)
    yield from _managed(repository)


def ready_made(repository: Repository) -> Iterator[Sign]:
    """What answers without an image of one's own: a cloud's endpoint, a function, a server that loads a model."""
    for each in repository.objects("InferenceService"):
        if each.document.get("spec", "predictor", "containers") is None:
            yield f"InferenceService {each.name} brings its server", each.at
    yield from _images(repository)
    yield from _managed(repository)
    for resource in repository.resources:
        packed = str(resource.properties).lower()
        if resource.type in _FUNCTIONS and "imageuri" not in packed and "image_uri" not in packed:
            yield f"{resource.type} {resource.name} runs code without an image", resource.at


def _images(repository: Repository) -> Iterator[Sign]:
    for container in repository.containers:
        if _IMAGES.search(container.image):
            yield f"image {container.image}", container.at
    for file in repository.dockerfiles:
        for each in file.all("FROM"):
            if _IMAGES.search(each.value):
                yield f"image {each.value.split()[0]}", Location(path=file.path, line=each.line)


def _mlwright(repository: Repository) -> Iterator[Sign]:
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        if document.get("endpoint"):
            yield "an endpoint of mlwright", document.at("endpoint")


def _managed(repository: Repository) -> Iterator[Sign]:
    for resource in repository.resources:
        if _ENDPOINTS.search(resource.type):
            yield f"{resource.type} {resource.name}", resource.at
