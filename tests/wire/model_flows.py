"""The flows about models: autologging, logged models, the registry, evaluation, traces, prompts, webhooks."""

import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import infer_signature
from mlflow_flows import flow, refused, seen, table


def _autologged(client: MlflowClient, name: str) -> Any:
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    run = found[0]
    models = client.search_logged_models([run.info.experiment_id])
    return {
        "runs": len(found),
        "status": run.info.status,
        "params": sorted(run.data.params),
        "metrics": sorted(run.data.metrics),
        "artifacts": sorted(each.path for each in client.list_artifacts(run.info.run_id)),
        "data": sorted(each.dataset.name for each in run.inputs.dataset_inputs),
        "models": [(each.name, str(each.status), each.model_type) for each in models],
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
    }


@flow
def autolog_sklearn(client: MlflowClient, folder: Path) -> Any:
    """scikit-learn with autologging."""
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("autolog sklearn")
    mlflow.sklearn.autolog()
    rows, labels = table()
    with mlflow.start_run(run_name="fit"):
        LogisticRegression(C=0.5).fit(rows, labels)
    mlflow.sklearn.autolog(disable=True)
    return _autologged(client, "autolog sklearn")


@flow
def autolog_xgboost(client: MlflowClient, folder: Path) -> Any:
    """XGBoost with autologging."""
    import xgboost

    mlflow.set_experiment("autolog xgboost")
    mlflow.xgboost.autolog()
    rows, labels = table()
    train = xgboost.DMatrix(rows, label=labels)
    settings = {"max_depth": 2, "objective": "binary:logistic"}
    with mlflow.start_run(run_name="fit"):
        xgboost.train(settings, train, 10, evals=[(train, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    return _autologged(client, "autolog xgboost")


@flow
def autolog_lightgbm(client: MlflowClient, folder: Path) -> Any:
    """LightGBM with autologging."""
    import lightgbm

    mlflow.set_experiment("autolog lightgbm")
    mlflow.lightgbm.autolog()
    rows, labels = table()
    train = lightgbm.Dataset(rows, label=labels)
    with mlflow.start_run(run_name="fit"):
        lightgbm.train({"objective": "binary", "verbosity": -1}, train, 10, valid_sets=[train])
    mlflow.lightgbm.autolog(disable=True)
    return _autologged(client, "autolog lightgbm")


@flow
def log_model_and_registry(client: MlflowClient, folder: Path) -> Any:
    """From a logged model to ``models:/name@alias``."""
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("registry")
    rows, labels = table()
    model = LogisticRegression(C=0.7).fit(rows, labels)
    for number in range(2):
        with mlflow.start_run(run_name=f"fit-{number}") as run:
            info = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=infer_signature(rows, model.predict(rows)),
                input_example=rows[:3],
                registered_model_name="churn",
                params={"depth": 3},
                metadata={"team": "growth"},
            )
            mlflow.log_metric("auc", 0.9, model_id=info.model_id)
    client.set_registered_model_alias("churn", "champion", 1)
    client.set_registered_model_alias("churn", "champion", 2)
    client.set_registered_model_alias("churn", "old", 1)
    loaded = mlflow.pyfunc.load_model("models:/churn@champion")
    version = client.get_model_version_by_alias("churn", "champion")
    logged = client.get_logged_model(info.model_id)
    return {
        "scores": np.array_equal(loaded.predict(rows), model.predict(rows)),
        "by run": np.array_equal(
            mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict(rows), model.predict(rows)
        ),
        "by number": mlflow.pyfunc.load_model("models:/churn/1").metadata.signature.inputs.input_names(),
        "version": [
            version.name,
            version.version,
            version.status,
            version.current_stage,
            version.aliases,
            version.run_id == run.info.run_id,
            version.model_id == info.model_id,
        ],
        "model": sorted(client.get_registered_model("churn").aliases.items()),
        "logged": [
            logged.name,
            str(logged.status),
            sorted(logged.params.items()),
            [(each.key, each.value) for each in logged.metrics or []],
        ],
        "no such alias": refused(lambda: mlflow.pyfunc.load_model("models:/churn@nobody")),
        "no such version": refused(lambda: mlflow.pyfunc.load_model("models:/churn/99")),
        "no such model": refused(lambda: mlflow.pyfunc.load_model("models:/nothing/1")),
        "run": seen(client.get_run(run.info.run_id)),
    }


@flow
def registry(client: MlflowClient, folder: Path) -> Any:
    """Every call of the registry client."""
    client.create_registered_model("reg", tags={"a": "1"}, description="what for")
    client.create_registered_model("other")
    mlflow.set_experiment("registry calls")
    with mlflow.start_run(run_name="source") as run:
        mlflow.log_text("x", "model/file")
    source = f"runs:/{run.info.run_id}/model"
    one = client.create_model_version(
        "reg", run.info.artifact_uri + "/model", run.info.run_id, tags={"t": "1"}, description="first"
    )
    two = client.create_model_version("reg", run.info.artifact_uri + "/model", run.info.run_id)
    client.set_registered_model_tag("reg", "b", "2")
    client.delete_registered_model_tag("reg", "a")
    client.set_model_version_tag("reg", one.version, "u", "2")
    client.delete_model_version_tag("reg", one.version, "t")
    client.update_registered_model("reg", description="changed")
    client.update_model_version("reg", one.version, description="changed too")
    client.set_registered_model_alias("reg", "blue", one.version)
    client.transition_model_version_stage("reg", one.version, "Production")
    client.transition_model_version_stage("reg", two.version, "Production", archive_existing_versions=True)
    latest = {each.current_stage: each.version for each in client.get_latest_versions("reg")}
    client.rename_registered_model("reg", "renamed")
    found = client.get_registered_model("renamed")
    got = client.get_model_version("renamed", "1")
    result = {
        "source": source != "",
        "model": [
            found.description,
            dict(found.tags),
            dict(found.aliases),
            sorted(each.version for each in found.latest_versions),
        ],
        "version": [got.description, dict(got.tags), got.current_stage, got.aliases, got.status],
        "latest": latest,
        "uri": client.get_model_version_download_uri("renamed", "1").split("artifacts/")[-1],
        "models": [
            each.name for each in client.search_registered_models("name LIKE 're%'", order_by=["name"])
        ],
        "by tag": [each.name for each in client.search_registered_models("tags.b = '2'")],
        "versions": [each.version for each in client.search_model_versions("name='renamed'")],
        "by run": len(client.search_model_versions(f"run_id = '{run.info.run_id}'")),
        "twice": refused(lambda: client.create_registered_model("renamed")),
        "missing": refused(lambda: client.get_registered_model("reg")),
        "bad name": refused(lambda: client.create_registered_model("a/b")),
        "bad alias": refused(lambda: client.set_registered_model_alias("renamed", "v1", "1")),
        "bad filter": refused(lambda: client.search_model_versions("nothing = 1")),
        "no such version": refused(lambda: client.get_model_version("renamed", "77")),
        "no such alias": refused(lambda: client.get_model_version_by_alias("renamed", "green")),
    }
    client.delete_registered_model_alias("renamed", "blue")
    client.delete_model_version("renamed", "1")
    result["left"] = [each.version for each in client.search_model_versions("name='renamed'")]
    client.delete_registered_model("renamed")
    result["gone"] = refused(lambda: client.get_registered_model("renamed"))
    return result


@flow
def logged_models(client: MlflowClient, folder: Path) -> Any:
    """Logged models: make, tag, search, delete."""
    made = mlflow.set_experiment("logged models").experiment_id
    ids = []
    for number in range(6):
        model = client.create_logged_model(
            made,
            name=f"lm-{number}",
            params={"n": str(number)},
            tags={"odd": str(number % 2)},
            model_type="agent",
        )
        with mlflow.start_run(run_name=f"measure-{number}"):
            mlflow.log_metric("score", float(number % 4), model_id=model.model_id)
        client.finalize_logged_model(model.model_id, "READY")
        ids.append(model.model_id)
    client.set_logged_model_tags(ids[0], {"x": "1", "y": "2"})
    client.delete_logged_model_tag(ids[0], "x")

    def names(**asked: Any) -> list[str]:
        return [each.name for each in client.search_logged_models([made], **asked)]

    by_score = [
        {"field_name": "metrics.score", "ascending": False},
        {"field_name": "name", "ascending": True},
    ]
    result = {
        "all": sorted(names()),
        "score": names(filter_string="metrics.score >= 2", order_by=by_score),
        "tag": names(filter_string="tags.odd = '1'", order_by=[{"field_name": "name", "ascending": True}]),
        "name": names(filter_string="name LIKE 'lm-%' AND params.n != '3'", order_by=by_score),
        "tags": {
            key: value for key, value in client.get_logged_model(ids[0]).tags.items() if "mlflow" not in key
        },
        "bad": refused(lambda: names(filter_string="nothing.x = 1")),
        "missing": refused(lambda: client.get_logged_model("m-" + "0" * 32)),
    }
    client.delete_logged_model(ids[5])
    result["left"] = sorted(names())
    return result


@flow
def evaluation(client: MlflowClient, folder: Path) -> Any:
    """``mlflow.models.evaluate`` of a classifier."""
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("evaluation")
    rows, labels = table()
    model = LogisticRegression().fit(rows, labels)
    with mlflow.start_run(run_name="evaluate") as run:
        info = mlflow.sklearn.log_model(model, name="model", input_example=rows[:2])
        data = rows.assign(y=labels)
        result = mlflow.models.evaluate(
            info.model_uri,
            data,
            targets="y",
            model_type="classifier",
            evaluator_config={"log_model_explainability": False},
        )
    found = client.get_run(run.info.run_id)
    return {
        "metrics": sorted(result.metrics),
        "run": sorted(found.data.metrics),
        "artifacts": sorted(result.artifacts),
    }


@flow
def tracing(client: MlflowClient, folder: Path) -> Any:
    """Traces, their spans, tags, assessments and search."""
    made = mlflow.set_experiment("tracing").experiment_id

    @mlflow.trace(span_type="CHAIN", attributes={"k": "v"})
    def outer(question: str) -> str:
        with mlflow.start_span("inner") as span:
            span.set_inputs({"q": question})
            span.set_outputs([1, 2, {"ü": "é"}])
        return question.upper()

    for word in ("one", "two"):
        outer(word)
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.set_trace_tag(trace_id, "reviewed", "yes")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True, rationale="because")
    trace = mlflow.get_trace(trace_id)
    found = mlflow.search_traces(locations=[made], return_type="list")
    tagged = mlflow.search_traces(locations=[made], filter_string="tags.reviewed = 'yes'", return_type="list")
    client.delete_traces(made, trace_ids=[found[-1].info.trace_id])
    return {
        "spans": [
            (each.name, each.span_type, each.inputs, each.outputs, str(each.status.status_code))
            for each in trace.data.spans
        ],
        "state": str(trace.info.state),
        "assessments": [(each.name, each.feedback.value, each.rationale) for each in trace.info.assessments],
        "found": len(found),
        "tagged": [each.info.trace_id == trace_id for each in tagged],
        "left": len(mlflow.search_traces(locations=[made], return_type="list")),
    }


@flow
def prompts(client: MlflowClient, folder: Path) -> Any:
    """The prompt registry, which lives in the model registry."""
    mlflow.genai.register_prompt(
        name="greet", template="Hello {{name}}", commit_message="first", tags={"t": "1"}
    )
    mlflow.genai.register_prompt(name="greet", template="Hi {{name}}")
    mlflow.genai.set_prompt_alias("greet", alias="live", version=2)
    loaded = mlflow.genai.load_prompt("prompts:/greet@live")
    return {
        "text": loaded.format(name="Ada"),
        "version": loaded.version,
        "prompts": [each.name for each in mlflow.genai.search_prompts("name = 'greet'")],
        "models": [each.name for each in client.search_registered_models("name = 'greet'")],
    }


@flow
def multipart(client: MlflowClient, folder: Path) -> Any:
    """An upload in parts."""
    from mlflow.environment_variables import (
        MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD,
        MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE,
        MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE,
    )

    mlflow.set_experiment("multipart")
    file = folder / "parts.bin"
    file.write_bytes(os.urandom(12 << 20))
    MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.set(True)
    MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE.set(5 << 20)
    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE.set(6 << 20)
    try:
        with mlflow.start_run(run_name="parts") as run:
            mlflow.log_artifact(str(file))
    finally:
        MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.set(False)
    back = Path(
        mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/parts.bin", dst_path=str(folder / "b"))
    )
    return {"same": back.read_bytes() == file.read_bytes()}


@flow
def webhooks(client: MlflowClient, folder: Path) -> Any:
    """Webhooks: make, change, list, delete."""
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus

    made = client.create_webhook(
        "told",
        "https://93.184.215.14/hook",
        [WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)],
        description="d",
        secret="s3cret",
    )
    client.update_webhook(made.webhook_id, status=WebhookStatus.DISABLED, name="renamed")
    got = client.get_webhook(made.webhook_id)
    listed = [each.name for each in client.list_webhooks()]
    client.delete_webhook(made.webhook_id)
    return {
        "webhook": [got.name, got.url, str(got.status), got.description, [str(each) for each in got.events]],
        "listed": listed,
        "gone": refused(lambda: client.get_webhook(made.webhook_id)),
    }
