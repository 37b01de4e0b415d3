"""Finding experiments, logged models, data sets, models and versions, over the wire."""

import pytest

FAR = "9" * 30


@pytest.fixture
def post(mlflow):
    def post(path, body=None, method="POST", status=200):
        given = {"query": body or {}} if method == "GET" else {"json": body or {}}
        answer = mlflow.ask(method, f"2.0/mlflow/{path}", given.get("json"), query=given.get("query", ()))
        assert answer.status == status, answer.body
        return answer.json

    return post


@pytest.fixture
def find(post):
    """The answers of all pages of a search, one field of each thing found."""

    def find(path, what, field, method="POST", **asked):
        found, token = [], None
        while True:
            page = post(path, {**asked, **({"page_token": token} if token else {})}, method)
            found += [each[field] if field in each else each["info"][field] for each in page.get(what, ())]
            token = page.get("next_page_token")
            if token is None:
                return found

    return find


@pytest.fixture
def experiments(post):
    made = [
        post("experiments/create", {"name": name, "tags": [{"key": "team", "value": team}]})["experiment_id"]
        for name, team in (("alpha", "a"), ("Beta", "A"), ("beta_2", "b"))
    ]
    post("experiments/create", {"name": "gone"})
    post("experiments/delete", {"experiment_id": str(int(made[-1]) + 1)})
    return made


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("filter", "names"),
    [
        ("name LIKE 'b%'", ["beta_2"]),
        ("name ILIKE 'b%'", ["Beta", "beta_2"]),
        ("name = 'alpha' AND tags.team = 'a'", ["alpha"]),
        ("tags.team != 'a'", ["Beta", "beta_2"]),
        ("tag.team IS NULL", ["Default"]),
        ("tags.`team` IS NOT NULL AND attribute.name != 'alpha'", ["Beta", "beta_2"]),
        ("experiment_id IN ('0', '" + FAR + "')", ["Default"]),
        ("experiment_id != '0' AND creation_time > 0", ["alpha", "Beta", "beta_2"]),
        ("creation_time > 1767323045000 AND name != 'Default'", []),
        ("last_update_time >= 1767323045000 AND name = 'alpha'", ["alpha"]),
    ],
)
def test_experiments(find, experiments, method, filter, names):
    found = find("experiments/search", "experiments", "name", method, filter=filter, max_results=1)
    assert sorted(found) == sorted(names)


def test_the_order_of_experiments(find, experiments):
    def names(**asked):
        return find("experiments/search", "experiments", "name", max_results=2, **asked)

    assert names(view_type="ALL", order_by=["name"]) == ["Beta", "Default", "alpha", "beta_2", "gone"]
    assert names(order_by=["experiment_id DESC"]) == ["beta_2", "Beta", "alpha", "Default"]
    assert names(view_type="DELETED_ONLY") == names(view_type="2") == ["gone"]
    # All were made at one instant: ties go by the id, and the other way round where an order was asked for.
    ties = names(filter="tags.team IS NOT NULL")
    assert ties == ["alpha", "Beta", "beta_2"]
    assert names(filter="tags.team IS NOT NULL", order_by=["creation_time"]) == ties[::-1]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("experiments/search", {"filter": "experiment_id = 'x'"}),
        ("experiments/search", {"filter": "name IN ('a')"}),
        ("experiments/search", {"filter": "creation_time > 1.5"}),
        ("experiments/search", {"order_by": ["tags.team"]}),
        ("experiments/search", {"view_type": "SOME"}),
        ("experiments/search", {"max_results": 0}),
        ("experiments/search", {"max_results": 50_001}),
        ("experiments/search", {"page_token": "eyJvZmZzZXQiOiAxfQ=="}),
        ("runs/search", {"experiment_ids": ["0"], "filter": "metrics.a > 'x'"}),
        ("runs/search", {"experiment_ids": ["x"]}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 50_001}),
        ("logged-models/search", {"experiment_ids": ["0"], "order_by": [{"field_name": "params.x"}]}),
        ("logged-models/search", {"experiment_ids": ["0"], "datasets": [{"dataset_digest": "x"}]}),
        ("experiments/search-datasets", {}),
        ("experiments/search-datasets", {"experiment_ids": ["0"] * 21}),
    ],
)
def test_what_cannot_be_searched_is_refused(post, path, asked):
    assert post(path, asked, status=400)["error_code"] == "INVALID_PARAMETER_VALUE"


def test_runs_and_their_data_sets(post, find):
    for at in range(3):
        run = post("runs/create", {"experiment_id": "0", "start_time": at + 1, "run_name": f"r{at}"})["run"][
            "info"
        ]
        post("runs/log-metric", {"run_id": run["run_id"], "key": "m", "value": at, "timestamp": 1, "step": 0})
        post("runs/log-parameter", {"run_id": run["run_id"], "key": "p", "value": str(at % 2)})
        used = {"name": "d", "digest": str(at % 2), "source_type": "local", "source": "s"}
        tags = [{"key": "mlflow.data.context", "value": "train"}] if at else []
        post("runs/log-inputs", {"run_id": run["run_id"], "datasets": [{"dataset": used, "tags": tags}]})

    def names(**asked):
        return find("runs/search", "runs", "run_name", experiment_ids=["0", FAR], max_results=1, **asked)

    assert names() == ["r2", "r1", "r0"]
    assert names(filter="metrics.m >= 1", order_by=["metrics.m"]) == ["r1", "r2"]
    assert names(filter="params.p = '0' AND datasets.context = 'train'") == ["r2"]
    assert names(run_view_type="DELETED_ONLY") == []
    assert post("runs/search", {"experiment_ids": []}) == {}
    assert post("experiments/search-datasets", {"experiment_ids": ["0"]})["dataset_summaries"] == [
        {"experiment_id": "0", "name": "d", "digest": "0"},
        {"experiment_id": "0", "name": "d", "digest": "0", "context": "train"},
        {"experiment_id": "0", "name": "d", "digest": "1", "context": "train"},
    ]


@pytest.fixture
def models(post):
    """Four logged models; three with a metric, measured on two data sets."""
    run = post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    made = {}
    for name, kind, values in (
        ("a", "x", {"d": 0.1, "e": 0.9}),
        ("B", "y", {"d": 0.5}),
        ("c", "x", {"e": "NaN"}),
        ("d", "x", {}),
    ):
        params = [{"key": "p", "value": name}]
        said = {
            "experiment_id": "0",
            "name": name,
            "model_type": kind,
            "params": params,
            "source_run_id": run,
        }
        model = post("logged-models", said)["model"]["info"]["model_id"]
        made[name] = model
        for at, (dataset, value) in enumerate(values.items()):
            said = {"run_id": run, "key": "m", "value": value, "timestamp": at, "step": 0, "model_id": model}
            post("runs/log-metric", {**said, "dataset_name": dataset, "dataset_digest": "1"})
    return made


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"filter": "name ILIKE 'b'"}, "B"),
        ({"filter": "model_type = 'x' AND params.p IN ('a', 'd')"}, "ad"),
        ({"filter": "status = 'PENDING'"}, "aBcd"),
        ({"filter": "attributes.status != 'LOGGED_MODEL_PENDING'"}, ""),
        ({"filter": "experiment_id = '0' AND creation_timestamp > 0"}, "aBcd"),
        ({"filter": "metrics.m > 0.4"}, "aB"),
        ({"filter": "metrics.m != 0.5"}, "ac"),
        ({"filter": "metrics.m > 0.4", "datasets": [{"dataset_name": "d"}]}, "B"),
        ({"datasets": [{"dataset_name": "e"}]}, "ac"),
        ({"datasets": [{"dataset_name": "e", "dataset_digest": "2"}]}, ""),
    ],
)
def test_logged_models(find, models, asked, names):
    found = find("logged-models/search", "models", "name", experiment_ids=["0"], max_results=1, **asked)
    assert sorted(found) == sorted(names)


def test_the_order_of_logged_models(find, models):
    def names(*orders):
        found = find(
            "logged-models/search", "models", "name", experiment_ids=["0"], max_results=1, order_by=orders
        )
        return "".join(found)

    by_id = sorted(models, key=models.get)
    assert names() == "".join(by_id)
    assert names({"field_name": "name"}) == "Bacd"
    last = "".join(each for each in by_id if each in "cd")
    # On whichever data set it was measured last.
    assert names({"field_name": "metrics.m"}) == "Ba" + last
    assert names({"field_name": "metrics.m", "ascending": False}) == "aB" + last
    on_d = names({"field_name": "metrics.m", "ascending": False, "dataset_name": "d"})
    assert on_d == "Ba" + last


@pytest.fixture
def registered(post):
    for name, tags in (
        ("a", {"t": "1"}),
        ("B", {"t": "2", "u": "x"}),
        ("p", {"mlflow.prompt.is_prompt": "true"}),
    ):
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        post("registered-models/create", {"name": name, "tags": pairs})
        for source in ("one", "two"):
            at = "dummy-source" if name == "p" else f"s3://bucket/{source}"
            post("model-versions/create", {"name": name, "source": at, "tags": pairs})


@pytest.mark.parametrize(
    ("filter", "models", "versions"),
    [
        ("", "Ba", "B2 B1 a2 a1"),
        ("name = 'a'", "a", "a2 a1"),
        ("name ILIKE 'b'", "B", "B2 B1"),
        ("name IN ('a', 'p')", "a", "a2 a1"),
        ("tags.t = '1'", "a", "a2 a1"),
        ("tags.t != '1' AND tags.u LIKE 'x%'", "B", "B2 B1"),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", "p", "p2 p1"),
        ("tags.`mlflow.prompt.is_prompt` != 'true'", "Ba", "B2 B1 a2 a1"),
        ("tags.mlflow.prompt.is_prompt = 'false' AND name != 'a'", "B", "B2 B1"),
    ],
)
def test_registered_models_and_versions(find, registered, filter, models, versions):
    asked = {"filter": filter, "max_results": 1}
    found = find("registered-models/search", "registered_models", "name", "GET", **asked)
    assert "".join(found) == models
    names = find("model-versions/search", "model_versions", "name", "GET", order_by=["name"], **asked)
    numbers = find("model-versions/search", "model_versions", "version", "GET", order_by=["name"], **asked)
    assert " ".join(f"{a}{b}" for a, b in zip(names, numbers, strict=True)) == versions


def test_more_of_registered_models_and_versions(post, find, registered):
    def versions(**asked):
        return find("model-versions/search", "model_versions", "source", "GET", **asked)

    assert versions(filter="name = 'a' AND version_number >= 2") == ["s3://bucket/two"]
    assert versions(filter="name = 'a' AND version_number = '1'") == ["s3://bucket/one"]
    assert versions(filter="source_path LIKE '%/one'", order_by=["name DESC"]) == ["s3://bucket/one"] * 2
    assert versions(filter="run_id IN ('x')") == []
    page = post("registered-models/search", {"order_by": ["name DESC"]}, "GET")["registered_models"]
    assert [(each["name"], each["latest_versions"][0]["version"]) for each in page] == [
        ("a", "2"),
        ("B", "2"),
    ]
    for path, wrong in (
        ("registered-models", {"max_results": 1001}),
        ("registered-models", {"filter": "tags.t IS NULL"}),
        ("model-versions", {"filter": "version_number = 1.5"}),
        ("model-versions", {"order_by": "run_id"}),
        ("model-versions", {"page_token": "x"}),
    ):
        answer = post(f"{path}/search", wrong, "GET", status=400)
        assert answer["error_code"] == "INVALID_PARAMETER_VALUE"
