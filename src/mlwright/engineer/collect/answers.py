"""Where something answers requests with a model: web code, model servers, manifests, cloud endpoints."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.fits import FRAMEWORKS, within
from mlwright.engineer.facts.code import Call, PythonFile, Role
from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import FileEntry
from mlwright.model.findings import Location

WEB: Final = (
    *(
        "fastapi",
        "flask",
        "starlette",
        "litestar",
        "sanic",
        "quart",
        "falcon",
        "tornado.web",
        "aiohttp.web",
        "bottle",
    ),
    *(
        "chalice",
        "robyn",
        "blacksheep",
        "connexion",
        "flask_restful",
        "flask_restx",
        "apiflask",
        "ninja",
        "django",
    ),
    *("rest_framework", "grpc", "aws_lambda_powertools", "functions_framework", "azure.functions"),
)
SCREENS: Final = ("streamlit", "gradio", "dash", "shiny", "panel", "chainlit")
LANGUAGE_MODELS: Final = (
    *(
        "openai",
        "anthropic",
        "langchain",
        "langchain_openai",
        "langchain_core",
        "langchain_community",
        "llama_index",
    ),
    *("litellm", "cohere", "google.generativeai", "google.genai", "mistralai", "groq", "pydantic_ai", "dspy"),
    *("langgraph", "semantic_kernel", "instructor", "ollama", "together", "replicate", "crewai", "autogen"),
)
_LOADS: Final = frozenset(
    (
        *(
            "joblib.load",
            "pickle.load",
            "pickle.loads",
            "cloudpickle.load",
            "dill.load",
            "torch.load",
            "torch.jit.load",
        ),
        *(
            "keras.models.load_model",
            "tensorflow.keras.models.load_model",
            "tensorflow.saved_model.load",
            "skops.io.load",
        ),
        *("keras.saving.load_model", "onnxruntime.InferenceSession", "transformers.pipeline", "spacy.load"),
        *(
            "sentence_transformers.SentenceTransformer",
            "ultralytics.YOLO",
            "whisper.load_model",
            "fasttext.load_model",
        ),
        *(
            "safetensors.torch.load_file",
            "xgboost.Booster",
            "lightgbm.Booster",
            "vllm.LLM",
            "llama_cpp.Llama",
        ),
        *(
            "faster_whisper.WhisperModel",
            "openvino.Core",
            "tritonclient.http.InferenceServerClient",
            "h2o.load_model",
        ),
    )
)
_PREDICTS: Final = frozenset(
    (
        "predict",
        "predict_proba",
        "predict_batch",
        "batch_predict",
        "decision_function",
        "predict_one",
        "predict_proba_one",
    )
)
_SERVERS: Final = (
    *("bentoml.Service", "bentoml.service", "bentoml.api", "bentoml.legacy.Service", "ray.serve.deployment"),
    *("ray.serve.run", "litserve.LitServer", "kserve.ModelServer", "mlserver.MLModel", "mlflow.models.serve"),
)
_SERVER_BASES: Final = (
    *("mlserver.MLModel", "kserve.Model", "litserve.LitAPI", "ts.torch_handler.base_handler.BaseHandler"),
    *("ts.torch_handler", "cog.BasePredictor", "bentoml.Runnable", "bentoml.BentoService", "kserve.KFModel"),
)
_KINDS: Final = frozenset(
    ("InferenceService", "SeldonDeployment", "RayService", "LLMInferenceService", "ServingRuntime")
)
_IMAGES: Final = re.compile(
    r"(tensorflow/serving|tritonserver|pytorch/torchserve|vllm/vllm|text-generation-inference|text-embeddings-inference"
    r"|seldonio/mlserver|openvino/model_server|mlflow-pyfunc|sklearnserver|xgbserver)"
)
_CLOUD: Final = re.compile(
    r"(sagemaker_(endpoint|model)|SageMaker::(Endpoint|Model)\b|vertex_ai_endpoint|ml(_|-|\.)?online(_|-)?endpoint"
    r"|machine_learning_(online|batch)_endpoint|machinelearning.*onlineEndpoints|databricks_model_serving|vertex[:/].*AiEndpoint|sagemaker[:/](endpoint[:/])?Endpoint\b)",
    re.IGNORECASE,
)
_COMMANDS: Final = re.compile(
    r"mlflow\s+models\s+(serve|build-docker)|bentoml\s+serve|mlserver\s+start|torchserve\s+--start|tensorflow_model_server"
    r"|tritonserver\b|ray\s+serve|serve\s+run\s|mlwright\s+(up|serve)|vllm\s+serve|seldon-core-microservice"
)
_FILES: Final = re.compile(r"(^|/)(model-settings\.json|bentofile\.ya?ml|cog\.yaml|config\.pbtxt)$")
_HOPS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A place that answers with a model, and how that is seen."""

    at: Location
    what: str


def answering(
    python: Sequence[PythonFile], configuration: Configuration, files: Sequence[FileEntry]
) -> Iterator[Answering]:
    """Every place that answers requests with a model: code first, then what is declared."""
    modules = Modules(python)
    deployed = bool(configuration.dockerfiles or configuration.containers) or any(
        each.path.rpartition("/")[2] in ("Procfile", "app.yaml", "fly.toml", "render.yaml") for each in files
    )
    for file in python:
        found = _served_in(file, modules, deployed)
        if found is not None:
            yield found
    yield from _declared(configuration, files)


def _served_in(file: PythonFile, modules: "Modules", deployed: bool) -> Answering | None:
    for each in file.classes:
        if any(within(base, _SERVER_BASES) for base in each.bases):
            return Answering(at=file.at(each), what=f"{each.name} is a {each.bases[0]}")
    server = next((call for call in file.calls if call.name in _SERVERS), None)
    if server is not None:
        return Answering(at=file.at(server), what=f"calls {server.name}")
    names = {each.name: each for each in file.functions}
    handler = next((names[name] for name in ("predict_fn", "lambda_handler", "run") if name in names), None)
    if handler is not None and not file.notebook:
        before = {"predict_fn": "model_fn" in names, "run": "init" in names}.get(handler.name, True)
        asked = modules.asks_model(file) if before else None
        if asked is not None:
            return Answering(
                at=file.at(handler), what=f"{handler.name} is called for each request, and {asked}"
            )
    if file.notebook or file.imports_any(*WEB, *(SCREENS if deployed else ())) is None:
        return None
    route = _route(file)
    asked = modules.asks_model(file) if route is not None else None
    return Answering(at=route, what=f"answers requests, and {asked}") if route is not None and asked else None


_ROUTES: Final = frozenset(
    ("get", "post", "put", "route", "websocket", "api_route", "add_api_route", "add_url_rule")
)


def _route(file: PythonFile) -> Location | None:
    """Where a file takes requests: a route, a view, a screen."""
    decorated = {
        name
        for function in file.functions
        for name in function.decorators
        if name.rpartition(".")[2] in _ROUTES
    }
    for call in file.calls:
        if call.name in decorated or call.method in (
            "add_api_route",
            "add_url_rule",
            "add_resource",
            "add_route",
        ):
            return file.at(call)
        if within(call.name, SCREENS) or (call.name.startswith("grpc.") and call.method == "server"):
            return file.at(call)
        if call.name in ("django.urls.path", "starlette.routing.Route", "rest_framework.response.Response"):
            return file.at(call)
    views = (
        "rest_framework",
        "django.views",
        "flask.views",
        "flask_restful",
        "flask_restx",
        "tornado.web",
        "starlette",
    )
    return next(
        (file.at(each) for each in file.classes if any(within(base, views) for base in each.bases)),
        None,
    )


class Modules:
    """Which file each import of the project means."""

    def __init__(self, python: Sequence[PythonFile]) -> None:
        self._files: dict[str, PythonFile] = {}
        for file in python:
            parts = file.path.removesuffix(".py").removesuffix("/__init__").split("/")
            for start in range(len(parts)):
                self._files.setdefault(".".join(parts[start:]), file)

    def asks_model(self, file: PythonFile) -> str | None:
        """How this file, or one that it imports, loads or asks a model; None where it does not."""
        seen, level = {file.path}, [file]
        for _ in range(_HOPS):
            for each in level:
                call = model_call(each)
                if call is not None:
                    return f"{each.at(call)} calls {call.name}"
            following = [found for each in level for found in self._imported(each) if found.path not in seen]
            level = list({each.path: each for each in following}.values())
            seen.update(each.path for each in level)
        return None

    def _imported(self, file: PythonFile) -> Iterator[PythonFile]:
        for each in file.imports:
            for name in (each.name, each.name.rpartition(".")[0]):
                # A one-word name may be any installed package: it is ours only beside the file that imports it.
                found = self._files.get(name)
                if found is not None and ("." in name or _beside(found.path, file.path)):
                    yield found
                    break


def _beside(path: str, other: str) -> bool:
    return path.removesuffix("/__init__.py").rpartition("/")[0] in (other.rpartition("/")[0], "", "src")


def model_call(file: PythonFile) -> Call | None:
    """The first call that loads or asks a model; an answer of a language model of others is none."""
    foreign = file.imports_any(*LANGUAGE_MODELS) is not None and file.imports_any(*FRAMEWORKS) is None
    for call in file.calls:
        if call.name in _LOADS or (
            call.method == "load_model" and within(call.name, ("mlflow", "xgboost", "catboost"))
        ):
            return call
        if call.method == "load_model" and not foreign:
            return call
        if call.method == "from_pretrained" and within(
            call.name, ("transformers", "peft", "diffusers", "timm")
        ):
            return call
        if call.method in _PREDICTS and not foreign and not within(call.made_by, LANGUAGE_MODELS):
            return call
    return None


def _declared(configuration: Configuration, files: Sequence[FileEntry]) -> Iterator[Answering]:
    for each in configuration.kubernetes:
        if each.kind in _KINDS:
            yield Answering(at=each.at, what=f"declares the {each.kind} {each.name}".rstrip())
    for resource in configuration.resources:
        if _CLOUD.search(resource.type):
            yield Answering(at=resource.at, what=f"declares {resource.type} {resource.name}")
    for document in configuration.documents:
        if document.kind is DocumentKind.MLWRIGHT and document.get("endpoint"):
            yield Answering(at=document.at("endpoint"), what="declares an endpoint of mlwright")
    yield from _run(configuration)
    for entry in files:
        found = _FILES.search(entry.path)
        if found is not None and entry.role is Role.PRODUCTION:
            yield Answering(at=Location(path=entry.path), what=f"is the {found[2]} of a model server")


def _run(configuration: Configuration) -> Iterator[Answering]:
    for container in configuration.containers:
        command = " ".join(_words(container.spec))
        if _IMAGES.search(container.image) or _COMMANDS.search(command):
            yield Answering(at=container.at, what=f"runs {container.image or command[:60]}")
    for dockerfile in configuration.dockerfiles:
        for step in dockerfile.instructions:
            starts = step.name in ("CMD", "ENTRYPOINT") and _COMMANDS.search(_spaced(step.value))
            if starts or (step.name == "FROM" and _IMAGES.search(step.value)):
                at = Location(path=dockerfile.path, line=step.line)
                yield Answering(at=at, what=f"{step.name} {step.value[:60]}")


def _words(spec: object) -> Iterator[str]:
    if isinstance(spec, Mapping):
        for key in ("command", "args", "entrypoint"):
            value = spec.get(key)
            yield from (
                str(each) for each in (value if isinstance(value, list) else [value]) if each is not None
            )


def _spaced(value: str) -> str:
    return re.sub(r"[\[\]\",]+\s*", " ", value)
