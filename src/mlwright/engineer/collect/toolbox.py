"""What a repository is built with, by the names that people use."""

from collections.abc import Iterator, Sequence
from typing import Final

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.configuration import DocumentKind

_FRAMEWORKS: Final = {
    "sklearn": "scikit-learn", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "keras": "Keras",
    "tensorflow": "TensorFlow", "torch": "PyTorch", "lightning": "Lightning", "pytorch_lightning": "Lightning",
    "statsmodels": "statsmodels", "prophet": "Prophet", "darts": "Darts", "sktime": "sktime", "pmdarima": "pmdarima",
    "autogluon": "AutoGluon", "flaml": "FLAML", "h2o": "H2O", "pycaret": "PyCaret", "fastai": "fastai",
    "transformers": "Transformers", "sentence_transformers": "Sentence Transformers", "trl": "TRL", "peft": "PEFT",
    "implicit": "implicit", "surprise": "Surprise", "lightfm": "LightFM", "river": "River", "gensim": "Gensim",
    "spacy": "spaCy", "jax": "JAX", "flax": "Flax", "detectron2": "Detectron2", "ultralytics": "Ultralytics",
    "timm": "timm", "pyod": "PyOD", "stable_baselines3": "Stable-Baselines3", "onnxruntime": "ONNX Runtime",
    "diffusers": "Diffusers", "imblearn": "imbalanced-learn", "lifelines": "lifelines", "vllm": "vLLM",
}  # fmt: skip
_TOOLS: Final = {
    "mlflow": "MLflow", "wandb": "Weights & Biases", "neptune": "Neptune", "comet_ml": "Comet", "clearml": "ClearML",
    "aim": "Aim", "dvc": "DVC", "dvclive": "DVCLive", "airflow": "Airflow", "kfp": "Kubeflow Pipelines",
    "prefect": "Prefect", "dagster": "Dagster", "metaflow": "Metaflow", "zenml": "ZenML", "kedro": "Kedro",
    "ray": "Ray", "sagemaker": "SageMaker", "boto3": "AWS SDK", "hydra": "Hydra", "optuna": "Optuna", "feast": "Feast",
    "great_expectations": "Great Expectations", "pandera": "pandera", "evidently": "Evidently",
    "alibi_detect": "Alibi Detect", "nannyml": "NannyML", "whylogs": "whylogs", "fastapi": "FastAPI", "flask": "Flask",
    "streamlit": "Streamlit", "gradio": "Gradio", "bentoml": "BentoML", "mlserver": "MLServer", "kserve": "KServe",
    "litserve": "LitServe", "pyspark": "Spark", "dask": "Dask", "polars": "Polars", "pandas": "pandas",
    "openai": "OpenAI", "anthropic": "Anthropic", "langchain": "LangChain", "llama_index": "LlamaIndex",
    "prometheus_client": "Prometheus", "opentelemetry": "OpenTelemetry", "shap": "SHAP", "mlwright": "mlwright",
    "flytekit": "Flyte", "django": "Django",
}  # fmt: skip
_DOCUMENTS: Final = {
    DocumentKind.DVC: "DVC", DocumentKind.DBT: "dbt", DocumentKind.ML_PROJECT: "MLflow",
    DocumentKind.COMPOSE: "Compose", DocumentKind.HELM_CHART: "Helm", DocumentKind.PROMETHEUS: "Prometheus",
    DocumentKind.GRAFANA: "Grafana", DocumentKind.PRE_COMMIT: "pre-commit", DocumentKind.MLWRIGHT: "mlwright",
}  # fmt: skip
_PIPELINES: Final = {
    "airflow": "Airflow", "kubeflow": "Kubeflow Pipelines", "prefect": "Prefect", "dagster": "Dagster", "dvc": "DVC",
    "metaflow": "Metaflow", "zenml": "ZenML", "argo": "Argo Workflows", "kedro": "Kedro", "snakemake": "Snakemake",
    "make": "Make", "sagemaker": "SageMaker", "vertex": "Vertex AI", "azureml": "Azure ML", "mlwright": "mlwright",
}  # fmt: skip
_HOSTS: Final = {
    "github": "GitHub Actions", "gitlab": "GitLab CI", "circleci": "CircleCI", "azure": "Azure Pipelines",
    "jenkins": "Jenkins", "bitbucket": "Bitbucket Pipelines", "travis": "Travis CI",
}  # fmt: skip
_CLOUD: Final = {"terraform": "Terraform", "cloudformation": "CloudFormation", "pulumi": "Pulumi"}


def frameworks_of(python: Sequence[PythonFile]) -> tuple[str, ...]:
    """The machine-learning frameworks that production code imports, those imported most often first."""
    return _named(python, _FRAMEWORKS)


def tools_of(python: Sequence[PythonFile], configuration: Configuration) -> tuple[str, ...]:
    """The tools around them, by name."""
    return tuple(sorted({*_named(python, _TOOLS), *_declared(configuration)}, key=str.lower))


def _named(python: Sequence[PythonFile], names: dict[str, str]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for file in python:
        if file.role is Role.PRODUCTION:
            for name in {
                names[root] for each in file.imports if (root := each.name.partition(".")[0]) in names
            }:
                counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def _declared(configuration: Configuration) -> Iterator[str]:
    yield from (_DOCUMENTS[each.kind] for each in configuration.documents if each.kind in _DOCUMENTS)
    yield from (_PIPELINES[each.tool] for each in configuration.pipelines if each.tool in _PIPELINES)
    yield from (_HOSTS[each.host] for each in configuration.workflows if each.host in _HOSTS)
    yield from (_CLOUD[each.tool] for each in configuration.resources if each.tool in _CLOUD)
    if configuration.dockerfiles:
        yield "Docker"
    if configuration.kubernetes:
        yield "Kubernetes"
