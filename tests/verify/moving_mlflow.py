"""What happens at a store of MLflow, by its own client: ``moving_mlflow.py log URI`` fills it, ``see URI`` tells it.

Runs in an environment that has ``mlflow`` and nothing of ours.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas
from mlflow.entities import Metric, ViewType

OF_A_MOVE = ("mlwright.imported.", "mlwright.exported.")


class Half(mlflow.pyfunc.PythonModel):
    """The smallest model."""

    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)


def log(client: mlflow.MlflowClient) -> None:
    """One of everything that moves, and some that does not."""
    mlflow.set_experiment("churn")
    rows = pandas.DataFrame({"tenure": [1.0, 5.0], "churned": [0, 1]})
    tags = {"team": "größe", "a/b.c-d e": "x"}
    with mlflow.start_run(run_name="first", tags=tags, description="why") as run:
        mlflow.log_params({"depth": 3, "long": "x" * 5000, "train/lr": "0.1"})
        loss = [Metric("loss", 1 / (n + 1), 1_700_000_000_000 + n, n) for n in range(900)]
        client.log_batch(run.info.run_id, metrics=loss)
        odd = [Metric("odd", float(word), 2 + n, n) for n, word in enumerate(("nan", "inf", "-inf"))]
        auc = [Metric("train/auc", 0.5, 1, 0), Metric("train/auc", 0.6, 1, -5)]
        client.log_batch(run.info.run_id, metrics=[*odd, *auc])
        mlflow.log_input(mlflow.data.from_pandas(rows, name="rows", targets="churned"), context="training")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=Half(),
            signature=mlflow.models.infer_signature(rows[["tenure"]], [0.5]),
            registered_model_name="churn",
            pip_requirements=["mlflow"],
            params={"p": "1"},
            tags={"kind": "half"},
        )
        mlflow.log_metric("auc", 0.9, step=2, model_id=info.model_id)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "plots").mkdir()
            (place / "plots" / "größe 1.txt").write_text("hello")
            (place / "empty.txt").write_text("")
            (place / "big.bin").write_bytes(bytes(range(256)) * 20_000)
            mlflow.log_artifacts(folder, "files")
        with mlflow.start_run(nested=True, run_name="inner"):
            mlflow.log_metric("n", 1)
    with mlflow.start_run(run_name="second") as run:
        client.log_artifact(run.info.run_id, __file__, "old-model")
        source = f"runs:/{run.info.run_id}/old-model"
        client.create_model_version(
            "churn", source, run.info.run_id, description="the second", tags={"t": "v"}
        )
        client.create_model_version("churn", source, run.info.run_id)
    client.delete_model_version("churn", "2")
    client.set_registered_model_alias("churn", "champion", "1")
    client.set_registered_model_alias("churn", "challenger", "3")
    client.set_registered_model_tag("churn", "owner", "ada")
    client.update_registered_model("churn", description="who leaves")
    client.transition_model_version_stage("churn", "3", "Staging")
    try:
        with mlflow.start_run(run_name="failed"):
            raise RuntimeError
    except RuntimeError:
        pass
    other = mlflow.set_experiment("other").experiment_id
    for number in range(9):
        with mlflow.start_run():
            mlflow.log_metric("n", number)
            mlflow.log_param("i", number)
    gone = client.create_run(other, run_name="gone").info.run_id
    client.log_metric(gone, "m", 1)
    client.set_terminated(gone, "KILLED")
    client.delete_run(gone)
    client.delete_experiment(client.create_experiment("away", tags={"mlflow.note.content": "old"}))
    client.register_prompt("greeting", "hello {{name}}")
    with mlflow.start_span("x"):
        pass
    mlflow.flush_trace_async_logging()


def see(client: mlflow.MlflowClient) -> dict[str, Any]:
    """Everything that the client can see."""
    found = client.search_experiments(view_type=ViewType.ALL)
    names = {each.experiment_id: each.name for each in found}
    runs, token = [], None
    while token != "":
        page = client.search_runs([*names], run_view_type=ViewType.ALL, max_results=1000, page_token=token)
        runs += page
        token = page.token or ""
    return {
        "experiments": {
            each.name: {"stage": each.lifecycle_stage, "tags": plain(each.tags)} for each in found
        },
        "runs": {each.info.run_id: seen_run(client, each, names) for each in runs},
        "logged": {
            each.model_id: seen_logged(each) for each in client.search_logged_models(experiment_ids=[*names])
        },
        "models": {
            each.name: seen_model(client, each) for each in client.search_registered_models(max_results=100)
        },
    }


def seen_run(client: mlflow.MlflowClient, run: mlflow.entities.Run, names: dict[str, str]) -> dict[str, Any]:
    info, data = run.info, run.data
    id, active = info.run_id, info.lifecycle_stage == "active"
    return {
        "experiment": names[info.experiment_id],
        "name": info.run_name,
        "status": info.status,
        "start": info.start_time,
        "end": info.end_time,
        "stage": info.lifecycle_stage,
        "user": info.user_id,
        "params": dict(sorted(data.params.items())),
        "tags": plain(data.tags),
        "metrics": {
            key: sorted((m.step, m.timestamp, repr(m.value)) for m in client.get_metric_history(id, key))
            for key in sorted(data.metrics)
        },
        "inputs": sorted(
            (
                each.dataset.name,
                each.dataset.digest,
                each.dataset.source_type,
                each.dataset.source,
                each.dataset.schema,
                each.dataset.profile,
                sorted((tag.key, tag.value) for tag in each.tags),
            )
            for each in run.inputs.dataset_inputs
        ),
        "outputs": [
            (each.model_id, each.step) for each in (run.outputs.model_outputs if run.outputs else [])
        ],
        "files": digests(
            lambda to: mlflow.artifacts.download_artifacts(run_id=id, artifact_path="", dst_path=to)
        )
        if active and names[info.experiment_id] != "other"
        else {},
    }


def seen_logged(model: mlflow.entities.LoggedModel) -> dict[str, Any]:
    fetch = f"models:/{model.model_id}"
    return {
        "name": model.name,
        "run": model.source_run_id,
        "status": str(model.status),
        "params": model.params,
        "tags": plain(model.tags),
        "type": model.model_type or "",
        "created": model.creation_timestamp,
        "metrics": sorted(
            (m.key, repr(m.value), m.step, m.timestamp, m.run_id, m.dataset_name or "")
            for m in model.metrics or []
        ),
        "files": digests(lambda to: mlflow.artifacts.download_artifacts(fetch, dst_path=to)),
    }


def seen_model(client: mlflow.MlflowClient, model: Any) -> dict[str, Any]:
    return {
        "description": model.description,
        "tags": plain(model.tags),
        "aliases": dict(sorted((alias, int(version)) for alias, version in model.aliases.items())),
        "versions": {
            int(each.version): {
                "run": each.run_id,
                "stage": each.current_stage,
                "description": each.description or "",
                "tags": plain(each.tags),
                "status": each.status,
                "created": each.creation_timestamp,
                "files": digests(
                    lambda to, version=each.version: mlflow.artifacts.download_artifacts(
                        f"models:/{model.name}/{version}", dst_path=to
                    )
                ),
            }
            for each in client.search_model_versions(f"name='{model.name}'")
        },
    }


def plain(tags: dict[str, str]) -> dict[str, str]:
    """Tags without those that a move adds."""
    return {key: value for key, value in sorted(tags.items()) if not key.startswith(OF_A_MOVE)}


def digests(fetch: Callable[[str], str]) -> dict[str, str]:
    """The digest of every file that is downloaded, by its path."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(fetch(folder))
        return {
            each.relative_to(root).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest()
            for each in sorted(root.rglob("*"))
            if each.is_file()
        }


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[2])
    if sys.argv[1] == "log":
        log(mlflow.MlflowClient())
    else:
        json.dump(see(mlflow.MlflowClient()), sys.stdout, sort_keys=True, default=str)
