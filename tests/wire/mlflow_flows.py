"""What people do with an MLflow server, by the real client: ``python mlflow_flows.py URI OUT.json [FLOW …]``.

Runs in an environment that has ``mlflow`` and nothing of ours. Each flow returns what the client saw; beside it stands
every request and answer. The file that comes out is compared with that of another server (``differences``).
"""

import json
import math
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from transcript import Names, Recorder, in_order

Flow = Callable[[MlflowClient, Path], Any]
FLOWS: dict[str, Flow] = {}


def flow(function: Flow) -> Flow:
    """Enter a flow under its name."""
    FLOWS[function.__name__] = function
    return function


def refused(call: Callable[[], Any]) -> dict[str, str]:
    """What the client raised: the code is part of the protocol, the words are not."""
    try:
        call()
    except MlflowException as fault:
        return {"error_code": fault.error_code}
    except requests.HTTPError as fault:
        return {"status": str(fault.response.status_code)}
    return {"error_code": "none"}


def seen(run: mlflow.entities.Run) -> dict[str, Any]:
    """A run as the client gives it, without what the server's clock says."""
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "stage": run.info.lifecycle_stage,
        "ended": run.info.end_time is not None,
        "params": dict(sorted(run.data.params.items())),
        "metrics": {key: str(value) for key, value in sorted(run.data.metrics.items())},
        "tags": {key: value for key, value in sorted(run.data.tags.items()) if not key.startswith("mlflow.")},
        "inputs": [each.dataset.name for each in run.inputs.dataset_inputs] if run.inputs else [],
    }


def table() -> tuple[pd.DataFrame, pd.Series]:
    """A small data set that a tree learns at once."""
    rows = np.random.default_rng(7).normal(size=(120, 3))
    return pd.DataFrame(rows, columns=["a", "b", "c"]), pd.Series(
        (rows[:, 0] > rows[:, 1]).astype(int), name="y"
    )


@flow
def tracking(client: MlflowClient, folder: Path) -> Any:
    """Params, metrics, tags, a batch, histories; the words and numbers that break naive servers."""
    mlflow.set_experiment("tracking ünïcødé 実験")
    with mlflow.start_run(run_name="first", tags={"team": "größe"}, description="**why**") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"long": "x" * 10_000, "empty": "", "a/b.c-d e:f": "släsh 🚀"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "zero": -0.0}, step=2**40)
        mlflow.set_tags({"k": "v", "long": "y" * 5_000})
        mlflow.set_tag("gone", "1")
        mlflow.delete_tag("gone")
    client.log_batch(
        run.info.run_id,
        metrics=[Metric("batch", float(n), 1_700_000_000_000 + n, n % 700) for n in range(1_000)],
        params=[Param("p", "1")],
        tags=[RunTag("t", "2")],
    )
    found = client.get_run(run.info.run_id)
    history = client.get_metric_history(run.info.run_id, "batch")
    return {
        "run": seen(found),
        "history": [(each.step, each.timestamp, each.value) for each in history],
        "special": {
            key: [str(each.value) for each in client.get_metric_history(run.info.run_id, key)]
            for key in ("nan", "inf", "-inf", "zero", "no such key")
        },
        "changed param": refused(lambda: client.log_param(run.info.run_id, "p", "2")),
        "same param": refused(lambda: client.log_param(run.info.run_id, "p", "1")),
        "no such tag": refused(lambda: client.delete_tag(run.info.run_id, "gone")),
        "no such run": refused(lambda: client.get_run("0" * 32)),
        "bad key": refused(lambda: client.log_metric(run.info.run_id, "a#b", 1.0)),
        "emoji key": refused(lambda: client.log_param(run.info.run_id, "emoji 🚀", "1")),
    }


@flow
def experiments(client: MlflowClient, folder: Path) -> Any:
    """The life of an experiment."""
    made = client.create_experiment("life", tags={"a": "1", "b": "2"})
    run = client.create_run(made, run_name="inside")
    client.set_experiment_tag(made, "c", "3")
    client.delete_experiment_tag(made, "a")
    client.rename_experiment(made, "life renamed")
    client.delete_experiment(made)
    deleted = client.get_experiment(made)
    after = {
        "stage": deleted.lifecycle_stage,
        "run": client.get_run(run.info.run_id).info.lifecycle_stage,
        "again": refused(lambda: client.create_experiment("life renamed")),
        "twice": refused(lambda: client.delete_experiment(made)),
        "run in it": refused(lambda: client.create_run(made)),
    }
    client.restore_experiment(made)
    restored = client.get_experiment(made)
    for number in range(5):
        client.create_experiment(f"many-{number}", tags={"group": "g" if number % 2 else "h"})
    pages, token = [], None
    while token != "":
        page = client.search_experiments(
            filter_string="name LIKE 'many-%'", order_by=["name DESC"], max_results=2, page_token=token
        )
        pages.append([each.name for each in page])
        token = page.token or ""
    return {
        "deleted": after,
        "restored": [restored.name, restored.lifecycle_stage, dict(restored.tags)],
        "run": client.get_run(run.info.run_id).info.lifecycle_stage,
        "pages": pages,
        "by tag": [
            each.name
            for each in client.search_experiments(filter_string="tags.group = 'g'", order_by=["name"])
        ],
        "by name": client.get_experiment_by_name("no such") is None,
        "default": client.get_experiment("0").name,
        "no such": refused(lambda: client.get_experiment("987654321")),
    }


@flow
def searching(client: MlflowClient, folder: Path) -> Any:
    """The filter grammar, orders and pages over thirty runs."""
    made = client.create_experiment("searching")
    for n in range(30):
        run = client.create_run(
            made,
            start_time=1_700_000_000_000 + n,
            run_name=f"run-{n}",
            tags={"even": str(n % 2 == 0), "a b": f"x{n}"},
        )
        metrics = [Metric("m", float(n % 7), 1, 0), Metric("only some", float(n), 1, 0)][: 1 + (n % 3 == 0)]
        metrics.append(Metric("odd", math.nan if n % 5 == 0 else float(-n), 1, 0))
        client.log_batch(
            run.info.run_id, metrics, [Param("p", str(n % 4)), Param("Q", "AbC%_d"[: 1 + n % 6])]
        )
        client.set_terminated(
            run.info.run_id, "FAILED" if n % 10 == 9 else "FINISHED", end_time=1_700_000_100_000 + n
        )
    filters = [
        "",
        "metrics.m > 3",
        "metrics.m >= 3 and params.p = '2'",
        "metrics.`only some` < 10",
        'params."p" != "1"',
        "params.Q LIKE 'Ab%'",
        "params.Q ILIKE 'aB%'",
        "tags.even = 'True' AND metrics.m != 0",
        "tags.`a b` LIKE 'x1%'",
        "attributes.status = 'FAILED'",
        "status != 'FINISHED'",
        "attributes.run_name LIKE 'run-1%'",
        "run_name = 'run-3'",
        "attributes.start_time > 1700000000020",
        "end_time <= 1700000100003",
        "metrics.odd < -20",
        "metrics.odd = 0",
        "params.p IN ('1', '2')",
        "tags.even NOT LIKE 'T%'",
        "tags.no = 'x'",
        "params.no != 'x'",
        "run_id IN ('a', 'b')",
        "attributes.user_id != ''",
        "metrics.m = 3.0 and metrics.`only some` >= 0",
        "artifact_uri LIKE '%artifacts'",
    ]
    orders = [
        ["metrics.m DESC", "attributes.start_time ASC"],
        ["metrics.`only some`"],
        ["params.Q DESC", "start_time"],
        ["metrics.odd ASC"],
        ["tags.`a b` DESC"],
        ["attribute.run_name"],
        [],
    ]
    bad = [
        "metrics.m = 'x'",
        "params.p > 1",
        "m = 3",
        "metrics.m = 1 OR metrics.m = 2",
        "attributes.nothing = 1",
        "metrics.m ==",
        "tags.a LIKE 3",
        "params.p = unquoted",
        "'; DROP TABLE runs; --",
        "(metrics.m = 1)",
    ]

    def names(**asked: Any) -> Any:
        try:
            return [each.info.run_name for each in client.search_runs([made], **asked)]
        except MlflowException as fault:
            return fault.error_code

    pages, token = [], None
    while token != "":
        page = client.search_runs(
            [made], "params.p != '3'", max_results=7, order_by=["metrics.m"], page_token=token
        )
        pages.append([each.info.run_name for each in page])
        token = page.token or ""
    return {
        "filters": {text: names(filter_string=text) for text in filters},
        "orders": {str(order): names(order_by=order) for order in orders},
        "bad": {text: names(filter_string=text) for text in bad},
        "bad order": names(order_by=["metrics.m SIDEWAYS"]),
        "bad token": names(page_token="nonsense"),
        "pages": pages,
        "one": seen(client.search_runs([made], max_results=1)[0]),
        "frame": sorted(mlflow.search_runs([made]).columns),
    }


@flow
def deleting(client: MlflowClient, folder: Path) -> Any:
    """Delete and restore a run; nested runs."""
    mlflow.set_experiment("deleting")
    with mlflow.start_run(run_name="parent") as parent:
        for number in range(3):
            with mlflow.start_run(run_name=f"child-{number}", nested=True):
                mlflow.log_metric("m", number)
    made = parent.info.experiment_id
    children = client.search_runs(
        [made], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["run_name"]
    )
    client.delete_run(children[0].info.run_id)

    def names(view: int) -> list[str]:
        return sorted(each.info.run_name for each in client.search_runs([made], run_view_type=view))

    return {
        "children": [each.info.run_name for each in children],
        "active": names(ViewType.ACTIVE_ONLY),
        "deleted": names(ViewType.DELETED_ONLY),
        "all": names(ViewType.ALL),
        "logging to it": refused(lambda: client.log_metric(children[0].info.run_id, "m", 1.0)),
        "restored": client.restore_run(children[0].info.run_id),
        "after": names(ViewType.ACTIVE_ONLY),
        "renamed": client.update_run(children[1].info.run_id, name="renamed", status="FAILED"),
        "run": seen(client.get_run(children[1].info.run_id)),
    }


@flow
def artifacts(client: MlflowClient, folder: Path) -> Any:
    """Files, folders, names that need care, pictures, tables, and 200 MB."""
    mlflow.set_experiment("artifacts")
    names = ["plain.txt", "ünïcødé 文件.txt", "a b&c+d=e@f.txt", "deep/er/file.bin", "empty"]
    for name in names:
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(b"" if name == "empty" else name.encode() * 3)
    large = folder / "large.bin"
    with large.open("wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(int(os.environ.get("FLOWS_LARGE_MB", "200"))):
            file.write(block)
    with mlflow.start_run(run_name="files") as run:
        mlflow.log_artifacts(str(folder / "tree"), "tree")
        mlflow.log_artifact(str(large))
        mlflow.log_text("hello", "notes/hello.md")
        mlflow.log_dict({"a": [1, 2]}, "d.json")
        mlflow.log_table({"q": ["x", "y"], "n": [1, 2]}, "table.json")
        mlflow.log_image(np.zeros((4, 4, 3), np.uint8), "black.png")
    uri = f"runs:/{run.info.run_id}"

    def listing(path: str | None) -> list[Any]:
        return sorted(
            (each.path, each.is_dir, each.file_size) for each in client.list_artifacts(run.info.run_id, path)
        )

    fetched = Path(mlflow.artifacts.download_artifacts(f"{uri}/tree", dst_path=str(folder / "back")))
    again = Path(mlflow.artifacts.download_artifacts(f"{uri}/large.bin", dst_path=str(folder / "back")))
    return {
        "root": listing(None),
        "tree": listing("tree"),
        "deep": listing("tree/deep"),
        "no such": listing("nothing"),
        "back": {
            name: (fetched / name).read_bytes() == (folder / "tree" / name).read_bytes() for name in names
        },
        "large": again.read_bytes() == large.read_bytes(),
        "text": mlflow.artifacts.load_text(f"{uri}/notes/hello.md"),
        "dict": mlflow.artifacts.load_dict(f"{uri}/d.json"),
        "missing": refused(lambda: mlflow.artifacts.load_text(f"{uri}/nothing.txt")),
        "up the tree": refused(lambda: client.list_artifacts(run.info.run_id, "../..")),
    }


@flow
def data_sets(client: MlflowClient, folder: Path) -> Any:
    """Inputs of runs, and runs by their data set."""
    mlflow.set_experiment("data sets")
    rows, _ = table()
    data = mlflow.data.from_pandas(rows, source="s3://bucket/rows.csv", name="rows")
    with mlflow.start_run(run_name="with data") as run:
        mlflow.log_input(data, context="training", tags={"k": "v"})
        mlflow.log_input(mlflow.data.from_numpy(rows.to_numpy(), name="array"), context="eval")
        mlflow.log_metric("on data", 0.5, dataset=data)
    found = client.get_run(run.info.run_id)
    by = [
        "dataset.name = 'rows'",
        "datasets.context = 'eval'",
        f"dataset.digest = '{data.digest}'",
        "dataset.name = 'x'",
    ]
    return {
        "inputs": sorted(
            (
                each.dataset.name,
                each.dataset.digest,
                each.dataset.source_type,
                each.dataset.schema or "",
                sorted((tag.key, tag.value) for tag in each.tags),
            )
            for each in found.inputs.dataset_inputs
        ),
        "found": {text: len(client.search_runs([run.info.experiment_id], text)) for text in by},
    }


def main() -> None:
    """Run the flows that were asked for, and write what was seen."""
    import model_flows  # noqa: F401 - enters its flows

    uri, out, *wanted = sys.argv[1:]
    mlflow.set_tracking_uri(uri)
    transcript: dict[str, Any] = {}
    for name, run in FLOWS.items():
        if wanted and name not in wanted:
            continue
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, Recorder(uri) as recorder:
            try:
                result = run(MlflowClient(uri), Path(folder))
            except Exception:  # noqa: BLE001 - what broke is part of the transcript
                result = {"FAILED": traceback.format_exc()[-3000:]}
        named = Names()
        transcript[name] = {
            "wire": in_order(named.of(recorder.said)),
            "seen": named.of(json.loads(json.dumps(result, default=str))),
        }
        print(f"{name}: {len(recorder.said)} requests, {time.perf_counter() - began:.1f} s", file=sys.stderr)
    Path(out).write_text(json.dumps(transcript, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.modules["mlflow_flows"] = sys.modules["__main__"]
    main()
