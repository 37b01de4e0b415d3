"""One measurement by the real MLflow client: ``python mlflow_client.py URI STAGE [ARGUMENT …]`` prints one JSON object.

``raw-…`` stages send the same requests without the client: they show the server where the client is the limit.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric

FILTER = "metrics.m3 > 0.5 and params.p3 = 'v1'"
ORDER = ["metrics.m7 DESC"]
API = "/api/2.0/mlflow"


def timed(call: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return taken


def rate(taken: list[float], each: int = 1) -> dict[str, float]:
    """Events a second, from the median of the calls, which a pause of the machine does not move."""
    return {"median": each / statistics.median(taken), "mean": each * len(taken) / sum(taken)}


def milliseconds(taken: list[float]) -> dict[str, float]:
    if len(taken) == 1:
        return {"median": taken[0] * 1e3}
    low, middle, high = statistics.quantiles(taken, n=4)
    return {"median": middle * 1e3, "low": low * 1e3, "high": high * 1e3}


def calls(client: MlflowClient, number: str, at: str = "0") -> dict[str, float]:
    """Synchronous log_metric calls of one client, from an agreed instant on where several do it at once."""
    run = client.create_run("0").info.run_id
    for step in range(20):
        client.log_metric(run, "warm", 1.0, step=step)
    time.sleep(max(0.0, float(at) - time.time()))
    steps = iter(range(int(number)))
    began = time.perf_counter()
    taken = timed(lambda: client.log_metric(run, "loss", 0.5, step=next(steps)), int(number))
    return rate(taken) | {"total": int(number) / (time.perf_counter() - began)}


def batch(client: MlflowClient, number: str, keys: str) -> dict[str, float]:
    """log_batch of 1,000 metrics, over so many keys."""
    run = client.create_run("0").info.run_id
    metrics = [
        Metric(f"k{n % int(keys)}", n * 0.5, 1_700_000_000_000 + n, n // int(keys)) for n in range(1_000)
    ]
    client.log_batch(run, metrics)
    return rate(timed(lambda: client.log_batch(run, metrics), int(number)), 1_000)


def raw_batch(client: MlflowClient, number: str, keys: str) -> dict[str, float]:
    """The same bodies, each with other steps, by a bare HTTP session."""
    run = client.create_run("0").info.run_id
    bodies = []
    for call in range(int(number)):
        metrics = [
            {
                "key": f"k{n % int(keys)}",
                "value": n * 0.5,
                "timestamp": 1_700_000_000_000 + n,
                "step": call * 1000 + n,
            }
            for n in range(1_000)
        ]
        bodies.append(json.dumps({"run_id": run, "metrics": metrics}).encode())
    session, waiting = requests.Session(), iter(bodies)
    url, kind = mlflow.get_tracking_uri() + f"{API}/runs/log-batch", {"Content-Type": "application/json"}

    def send() -> None:
        session.post(url, next(waiting), headers=kind).raise_for_status()

    send()
    return rate(timed(send, int(number) - 1), 1_000)


def search(client: MlflowClient, experiment: str, number: str) -> dict[str, float]:
    """A filtered and ordered page of 100 runs."""
    found = client.search_runs([experiment], FILTER, max_results=100, order_by=ORDER)
    taken = timed(
        lambda: client.search_runs([experiment], FILTER, max_results=100, order_by=ORDER), int(number)
    )
    return milliseconds(taken) | {"found": len(found)}


def raw_search(client: MlflowClient, experiment: str, number: str) -> dict[str, float]:
    """The same page without the client's reading of it."""
    session = requests.Session()
    body = {"experiment_ids": [experiment], "filter": FILTER, "max_results": 100, "order_by": ORDER}

    def send() -> None:
        session.post(mlflow.get_tracking_uri() + f"{API}/runs/search", json=body).raise_for_status()

    send()
    return milliseconds(timed(send, int(number)))


def history(client: MlflowClient, run: str, number: str) -> dict[str, float]:
    """A whole metric history."""
    return milliseconds(timed(lambda: client.get_metric_history(run, "loss"), int(number)))


def raw_history(client: MlflowClient, run: str, number: str) -> dict[str, float]:
    """The same pages without the client's reading of them."""
    session = requests.Session()

    def send() -> None:
        token = ""
        while token is not None:
            asked = {"run_id": run, "metric_key": "loss", "max_results": 25_000} | (
                {"page_token": token} if token else {}
            )
            answer = session.get(mlflow.get_tracking_uri() + f"{API}/metrics/get-history", params=asked)
            answer.raise_for_status()
            # Reading the whole body as JSON is the client's work; the token stands at its end or beginning.
            found = answer.content.rfind(b'"next_page_token":')
            token = (
                json.loads(b"{" + answer.content[found:].rstrip(b" \n,]}") + b"}")["next_page_token"]
                if found > 0
                else None
            )

    return milliseconds(timed(send, int(number)))


def versions(client: MlflowClient, number: str) -> dict[str, float]:
    """Model versions registered, and all of them searched."""
    name = f"model-{time.time_ns()}"
    client.create_registered_model(name)
    run = client.create_run("0")
    source = f"{run.info.artifact_uri}/model"
    made = timed(
        lambda: client.create_model_version(name, source, run.info.run_id, await_creation_for=0), int(number)
    )
    found = timed(lambda: client.search_model_versions(f"name = '{name}'", max_results=1000), 10)
    return {"per second": 1 / statistics.median(made), "search ms": statistics.median(found) * 1e3}


if __name__ == "__main__":
    uri, stage, *arguments = sys.argv[1:]
    mlflow.set_tracking_uri(uri)
    print(json.dumps(globals()[stage.replace("-", "_")](MlflowClient(uri), *arguments)))
