"""MLflow's pages below ``/mlflow/``: files, what is missing, and the questions they ask by GraphQL."""

import math

import pytest

from mlwright.doors.http.mlflow import artifacts, traces, ui
from mlwright.doors.http.mlflow.graphql import read_selection
from mlwright.errors import BadRequest
from mlwright.model.tracking import Metric

INDEX = "<!doctype html><title>pages</title>"
GET_RUN = """query GetRun($data: MlflowGetRunInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetRun(input: $data) {
    apiError { code }
    run {
      info { runName status runUuid experimentId startTime endTime __typename }
      experiment { name tags { key value __typename } }
      modelVersions { name version }
      data { metrics { key value step timestamp } params { key value } tags { key value } }
      inputs { datasetInputs { dataset { name } tags { key } } modelInputs { modelId } }
      __typename
    }
  }
}"""


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "build"
    script = folder / "static" / "js" / "main.c2f5f8d4.js"
    script.parent.mkdir(parents=True)
    script.write_text("1")
    (folder / "index.html").write_text(INDEX)
    (folder / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def served(serve_calls, pages):
    return serve_calls(streams=(*artifacts.STREAMS, *traces.STREAMS, *ui.page_streams(lambda: pages)))


def ask(served, query, **variables):
    return served.ask("POST", "/mlflow/graphql", {"query": query, "variables": variables})


def test_the_page_is_served_with_a_policy_that_lets_nothing_foreign_in(served):
    answer = served.ask("GET", "/mlflow/")
    assert (answer.status, answer.body.decode()) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert not any("http" in each or "*" in each for each in policy.values())
    assert "unsafe-inline" not in policy["script-src"]
    moved = served.ask("GET", "/mlflow")
    assert (moved.status, moved.headers["location"]) == (308, "/mlflow/")
    assert served.ask("HEAD", "/mlflow/").body == b""


def test_files_named_by_their_content_are_kept_for_good(served):
    script = served.ask("GET", "/mlflow/static-files/static/js/main.c2f5f8d4.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["x-content-type-options"] == "nosniff"
    manifest = served.ask("GET", "/mlflow/static-files/manifest.json")
    assert manifest.headers["cache-control"] == "no-cache"
    again = {"if-none-match": manifest.headers["etag"]}
    assert served.ask("GET", "/mlflow/static-files/manifest.json", headers=again).status == 304


@pytest.mark.parametrize(
    "path", ["", "/static", "/none.js", "/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "//etc/passwd"]
)
def test_no_file_outside_of_the_pages_is_served(served, path):
    answer = served.ask("GET", f"/mlflow/static-files{path}")
    assert answer.status in (400, 404)
    assert b"secret" not in answer.body


def test_without_the_package_the_page_says_how_to_get_it(serve_calls):
    served = serve_calls(streams=ui.page_streams(lambda: None))
    answer = served.ask("GET", "/mlflow/")
    assert answer.status == 200
    assert b"pip install mlflow" in answer.body
    assert served.ask("GET", "/mlflow/static-files/x.js").status == 404


def test_what_the_page_calls_stands_below_it(served):
    found = served.ask("GET", "/mlflow/ajax-api/2.0/mlflow/experiments/get", query={"experiment_id": "0"})
    assert found.json["experiment"]["name"] == "Default"
    assert served.ask("GET", "/mlflow/ajax-api/2.0/mlflow/gateway-proxy").json == {"endpoints": []}
    assert served.ask("GET", "/mlflow/ajax-api/3.0/mlflow/ui-telemetry").json["disable_ui_telemetry"] is True
    for path, code in (
        ("2.0/mlflow/none", "ENDPOINT_NOT_FOUND"),
        ("3.0/mlflow/gateway/x", "NOT_IMPLEMENTED"),
    ):
        assert served.ask("GET", f"/mlflow/ajax-api/{path}").json["error_code"] == code
        assert served.ask("POST", f"/mlflow/ajax-api/{path}", {}).json["error_code"] == code
    assert served.ask("GET", "/mlflow/none").status == 404


def test_a_run_is_answered_in_the_forms_of_graphql(served, tracking):
    run = tracking.runs.create("0", name="r", started_ms=1795422990531).id
    tracking.metrics.log(run, Metric(key="a", value=0.5, step=3, at_ms=7))
    tracking.metrics.log(run, Metric(key="b", value=math.nan, step=0, at_ms=7))
    tracking.runs.log_params(run, {"lr": "0.1"})
    data = ask(served, GET_RUN, data={"runId": run}).json["data"]["mlflowGetRun"]
    assert data["apiError"] is None
    found = data["run"]
    assert found["info"] == {
        "runName": "r",
        "status": "RUNNING",
        "runUuid": run,
        "experimentId": "0",
        "startTime": "1795422990531",
        "endTime": None,
        "__typename": "MlflowRunInfo",
    }
    assert found["experiment"] == {"name": "Default", "tags": []}
    assert found["data"]["metrics"] == [
        {"key": "a", "value": 0.5, "step": "3", "timestamp": "7"},
        {"key": "b", "value": None, "step": "0", "timestamp": "7"},
    ]
    assert found["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    assert found["modelVersions"] == []
    assert found["inputs"] == {"datasetInputs": [], "modelInputs": []}
    assert found["__typename"] == "MlflowRunExtension"


def test_runs_and_experiments_are_found(served, tracking):
    runs = [tracking.runs.create("0", name=name).id for name in ("one", "two")]
    query = "query S($data: X!) { mlflowSearchRuns(input: $data) { runs { info { runUuid } experiment { name } } } }"
    asked = {"experimentIds": ["0"], "filter": "attributes.run_name = 'two'"}
    found = ask(served, query, data=asked).json["data"]["mlflowSearchRuns"]["runs"]
    assert found == [{"info": {"runUuid": runs[1]}, "experiment": {"name": "Default"}}]
    query = "query Q($input: X!) { mlflowGetExperiment(input: $input) { experiment { experimentId creationTime } } }"
    found = ask(served, query, input={"experimentId": "0"}).json["data"]["mlflowGetExperiment"]["experiment"]
    assert found["experimentId"] == "0"
    assert found["creationTime"].isdigit()


def test_what_cannot_be_answered_is_an_error_within_the_answer(served):
    answer = ask(served, GET_RUN, data={"runId": "0" * 32})
    assert answer.status == 200
    assert answer.json["data"] == {"mlflowGetRun": None}
    assert answer.json["errors"][0]["path"] == ["mlflowGetRun"]
    assert "cannot be asked" in ask(served, "{ mlflowForget { x } }").json["errors"][0]["message"]
    for body in (b"[]", b"{", b'{"query": "x"}'):
        assert served.ask("POST", "/mlflow/graphql", body=body).status == 400


@pytest.mark.parametrize(
    "query", ["", "query", "{ a ", "{ a { b }", "{ a " * 30 + "}" * 30, "{ ...F }", "{ a: b }", "x" * 100_001]
)
def test_a_query_of_another_form_is_refused(query):
    with pytest.raises(BadRequest):
        read_selection(query)


def test_a_selection_is_read_without_arguments_and_comments():
    assert read_selection('query Q($x: [Int!] = 3) @d(n: "}{") { a(x: "}") { b, # {\n c } }') == {
        "a": {"b": {}, "c": {}}
    }
