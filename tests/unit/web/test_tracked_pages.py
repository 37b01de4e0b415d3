"""The pages of experiments, runs, comparison and models, read as a browser would."""

import asyncio
import re
import runpy
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from mlwright.doors.web.tracked import build_pages
from mlwright.model.evidence import Outcome
from mlwright.model.ids import ModelName
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    Metric,
    ModelOutput,
    RunStatus,
)
from mlwright.stages.registry.evidence import add_evidence
from mlwright.stages.tracking.history import append_history
from mlwright.stages.tracking.runs import find_run
from mlwright.wiring.tracking import open_tracking

Reader = runpy.run_path(str(Path(__file__).with_name("test_pages.py")))["Reader"]
Reader.VOID = Reader.VOID | {"input", "option"}
XSS = "<script>alert('x')</script>\"'&"
START = 1_767_000_000_000


class Site:
    """The pages over one store, and what was put into it."""

    def __init__(self, tracking) -> None:
        self.tracking = tracking
        self._app = build_pages(tracking)

    def get(self, path: str, **named) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8500") as client:
                return await client.get(path, **named)

        return asyncio.run(go())

    def read(self, path: str, **named):
        """A page that must be there, parsed."""
        answer = self.get(path, **named)
        assert answer.status_code == 200, answer.text
        assert "<script>alert" not in answer.text, "not escaped"
        return Reader(answer.text)

    def history(self, run, key: str, values) -> None:
        steps = np.arange(len(values))
        points = History(
            key=key, steps=steps, at_ms=START + steps * 1000, values=np.array(values, dtype=np.float64)
        )
        with self.tracking.book.write() as tx:
            append_history(tx, find_run(tx, run).number, points)


def opened(folder: Path):
    return open_tracking(
        database=f"sqlite:///{folder}/book.db", artifacts=str(folder / "artifacts"), state=folder
    )


@pytest.fixture
def empty(tmp_path):
    tracking = opened(tmp_path)
    yield Site(tracking)
    tracking.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    tracking = opened(tmp_path_factory.mktemp("book"))
    made = Site(tracking)
    t = tracking
    made.experiment = t.experiments.create(f"{XSS} Größe", tags={"mlflow.note.content": XSS})
    made.runs = []
    for at in range(7):
        run = t.runs.create(
            made.experiment, name=f"trial-{at}", started_ms=START + at * 60_000, actor="ada"
        ).id
        t.runs.log_params(run, {"lr": str(0.1 / (at + 1)), "same": "yes", "opt": ["adam", "sgd"][at % 2]})
        made.history(run, "loss", 1.0 / (1 + at + np.arange(50)))
        t.metrics.log(run, Metric(key="auc", value=0.7 + at / 100, step=0, at_ms=START))
        if at != 6:
            t.runs.update(run, status=RunStatus.FINISHED, ended_ms=START + at * 60_000 + (7 - at) * 1000)
        made.runs.append(run)
    made.odd = t.runs.create(made.experiment, name=XSS, started_ms=10**17, actor=XSS).id
    t.runs.log_params(made.odd, {"text": XSS, "long": "v" * 5000})
    t.runs.set_tags(made.odd, {"tag": XSS, "mlflow.parentRunId": made.runs[0]})
    made.history(made.odd, "wild", [np.nan, 1, np.inf, -3, -np.inf])
    used = Dataset(
        name=XSS, digest="d1", source_type="local", source='{"uri": "x.csv"}', profile='{"num_rows": 1234}'
    )
    t.runs.log_inputs(made.odd, [DatasetInput(dataset=used, tags={"mlflow.data.context": "training"})])
    place = t.artifacts.place_of_run(made.odd)[1]
    t.artifacts.put_bytes(f"{place}/model/MLmodel", b"x" * 1500)
    t.artifacts.put_bytes(f"{place}/<b>.txt", b"x")
    made.logged = t.logged_models.create(made.experiment, name="net", source_run=made.odd).id
    t.runs.log_outputs(made.odd, [ModelOutput(model=made.logged)])
    made.deleted = t.runs.create(made.experiment, name="thrown-away", started_ms=START).id
    t.runs.delete(made.deleted)
    t.models.create("churn", description=XSS, tags={"team": XSS})
    for _ in range(3):
        t.versions.register("churn", f"mlflow-artifacts:/{place}/model", run=made.odd)
    t.models.set_alias("churn", "champion", 2)
    with t.book.write() as tx:
        at = datetime(2026, 1, 4, 12, tzinfo=UTC)
        for kind, outcome, said in (
            ("load", Outcome.FAILED, f"it does not load: {XSS}"),
            ("approval", Outcome.PASSED, "approved by grace"),
        ):
            add_evidence(
                tx, ModelName("churn"), 2, kind=kind, outcome=outcome, summary=said, at=at, actor="ada"
            )
    yield made
    tracking.close()


def names(page) -> list[str]:
    """The runs of a table, in order."""
    return re.findall(r"trial-\d", page.text)


def links(page) -> list[str]:
    return [given["href"] or "" for tag, given in page.tags if tag == "a"]


def test_an_empty_store_says_what_to_type(empty) -> None:
    assert "MLFLOW_TRACKING_URI=" in empty.read("/experiments").text
    assert "log_metric" in empty.read("/experiments/0").text
    assert "registered_model_name" in empty.read("/models").text
    assert "mark some" in empty.read("/compare").text


def test_the_root_leads_to_the_experiments(empty) -> None:
    answer = empty.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments")


def test_experiments_are_counted_and_found(site) -> None:
    page = site.read("/experiments")
    assert f"{XSS} Größe" in page.text
    assert re.search(r"Größe 1 8 ", page.text), page.text
    assert "Größe" not in site.read("/experiments?q=name+%3D+'other'").text


def test_a_table_is_sorted_by_any_column(site) -> None:
    path = f"/experiments/{site.experiment}"
    newest = [f"trial-{at}" for at in reversed(range(7))]
    assert names(site.read(path)) == newest
    assert names(site.read(f"{path}?sort=metrics.auc")) == newest[::-1]
    assert names(site.read(f"{path}?sort=params.lr&desc=1")) == newest[::-1]
    assert names(site.read(f"{path}?sort=name")) == newest[::-1]
    assert names(site.read(f"{path}?sort=duration")) == [f"trial-{at}" for at in (5, 4, 3, 2, 1, 0, 6)]
    assert names(site.read(f"{path}?sort=duration&desc=1")) == [f"trial-{at}" for at in range(7)]


def test_a_table_is_filtered_and_paged(site) -> None:
    path = f"/experiments/{site.experiment}"
    page = site.read(path, params={"q": "metrics.auc > 0.72 AND params.opt = 'adam'", "size": "1"})
    assert names(page) == ["trial-6"]
    following = next(each for each in links(page) if "page=" in each)
    assert names(site.read(following)) == ["trial-4"]


def test_a_broken_filter_is_explained_beside_the_box(site) -> None:
    page = site.read(f"/experiments/{site.experiment}", params={"q": "metrics.auc = 1 OR " + XSS})
    assert "OR cannot stand here" in page.text
    assert any(given.get("aria-invalid") for tag, given in page.tags if tag == "input")
    page = site.read(f"/experiments/{site.experiment}", params={"q": "statu = 'FINISHED'"})
    assert "status" in page.text


def test_a_key_that_no_run_has_is_told(site) -> None:
    page = site.read(f"/experiments/{site.experiment}", params={"q": "metrics.los < 1"})
    assert "no metric 'los', but 'loss'" in page.text


def test_chosen_columns_stay(site) -> None:
    path = f"/experiments/{site.experiment}"
    answer = site.get(f"{path}?columns=params.opt&columns=user")
    heads = re.findall(r'scope="col".*?title="([^"]+)"', answer.text)
    assert heads == ["name", "params.opt", "user"]
    cookie = answer.headers["set-cookie"]
    assert f"Path={path}" in cookie
    assert "HttpOnly" in cookie
    again = site.get(path, headers={"cookie": cookie.partition(";")[0]})
    assert re.findall(r'scope="col".*?title="([^"]+)"', again.text) == heads


def test_deleted_things_are_shown_only_when_asked_for(site) -> None:
    path = f"/experiments/{site.experiment}"
    assert "thrown-away" not in site.read(path).text
    page = site.read(f"{path}?view=deleted")
    assert "thrown-away" in page.text
    assert "deleted" in site.read(f"/runs/{site.deleted}").text


def test_a_run_shows_everything_escaped(site) -> None:
    page = site.read(f"/runs/{site.odd}")
    for part in (
        "1,234",
        "model/",
        "1.5 kB",
        "<b>.txt",
        "churn/3",
        "net",
        "100,000,000,000,000,000",
        "trial-0",
    ):
        assert part in page.text, part
    assert "−∞" in page.text
    assert f"/api/2.0/mlflow-artifacts/artifacts/{site.experiment}/{site.odd}/artifacts/%3Cb%3E.txt" in links(
        page
    )
    assert "(5,000 characters)" in page.text


def test_a_run_leads_to_its_parts(site) -> None:
    page = site.read(f"/runs/{site.runs[0]}")
    assert f"/runs/{site.odd}" in links(page)
    assert "Runs within it" in page.text


def test_runs_are_compared(site) -> None:
    page = site.read("/compare?runs=" + ",".join(site.runs))
    assert "7 runs" in page.text
    assert "1 params are the same" in page.text
    curves = [given for tag, given in page.tags if tag == "g" and given.get("class") == "curve"]
    assert [each["data-run"] for each in curves] == site.runs
    dots = [given for tag, given in page.tags if tag == "circle"]
    assert len(dots) == 7


@pytest.mark.parametrize(
    "more", ["", "&log=1", "&x=time", "&x=relative&log=1", "&across=params.text&up=params.long"]
)
def test_wild_values_are_drawn_without_complaint(site, more) -> None:
    page = site.read(f"/compare?runs={site.odd}&runs={site.runs[0]}{more}")
    assert not re.search(r"\b(nan|inf)\b", " ".join(str(given.get("d")) for _, given in page.tags))


def test_a_range_is_read_finer(site) -> None:
    run = site.runs[0]
    series = site.get(f"/api/series?runs={run}&metric=loss&from=10&to=12").json()["series"][0]
    assert series["steps"] == [10, 11, 12]
    assert series["values"] == [1 / 11, 1 / 12, 1 / 13]
    series = site.get(f"/api/series?runs={run}&metric=loss&x=relative&from=3&to=4.5").json()["series"][0]
    assert series["steps"] == [3, 4]
    at = "2025-12-29T09:20:05"
    series = site.get(f"/api/series?runs={run}&metric=loss&x=time&from={at}&to={at}").json()["series"][0]
    assert series["steps"] == [5]


def test_new_points_are_seen_at_once(empty) -> None:
    run = empty.tracking.runs.create("0").id
    for at in range(3):
        empty.tracking.metrics.log(run, Metric(key="loss", value=at, step=at, at_ms=START + at))
        assert empty.get(f"/api/series?runs={run}&metric=loss").json()["series"][0]["steps"] == list(
            range(at + 1)
        )


def test_a_chart_needs_few_points_and_loses_no_peak(empty) -> None:
    run = empty.tracking.runs.create("0").id
    values = np.zeros(100_000)
    values[77_777] = 9.0
    empty.history(run, "loss", values)
    series = empty.get(f"/api/series?runs={run}&metric=loss&points=100").json()["series"][0]
    assert len(series["values"]) <= 100
    assert series["points"] == 100_000
    assert series["steps"][series["values"].index(9.0)] == 77_777


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/runs/{run}x", 404, "did you mean"),
        ("/experiments/77", 404, "77"),
        ("/experiments/first", 400, "first"),
        ("/models/chrun", 404, "did you mean &#39;churn&#39;"),
        ("/models/churn/9", 404, "9"),
        ("/logged-models/m-1", 404, "m-1"),
        ("/nothing", 404, "Not Found"),
        ("/compare?runs={run}&from=<script>", 400, "&lt;script&gt;"),
        ("/compare?runs={run}&from=9&to=1", 400, "before it begins"),
        ("/compare?runs=" + ",".join(f"r{at}" for at in range(201)), 400, "at most 200"),
        ("/api/series?runs={run}", 400, "no metric"),
        ("/api/series?metric=loss", 400, "no run"),
        ("/api/series?runs={run}&metric=los", 404, "did you mean 'loss'"),
        ("/api/series?runs=none&metric=loss", 404, "none"),
    ],
)
def test_what_is_not_there_is_said(site, path, status, said) -> None:
    answer = site.get(path.replace("{run}", site.runs[0]))
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers["content-type"].startswith(
        "application/json" if path.startswith("/api") else "text/html"
    )


def test_missing_runs_are_named_and_the_others_compared(site) -> None:
    page = site.read(f"/compare?runs=gone,{site.runs[0]}")
    assert "no run gone" in page.text
    assert "1 run" in page.text


def test_models_show_versions_aliases_and_evidence(site) -> None:
    page = site.read("/models")
    assert "champion → 2" in page.text
    page = site.read("/models/churn")
    assert "/models/churn/3" in links(page)
    assert "failed" in page.text
    page = site.read("/models/churn/2")
    assert f"it does not load: {XSS}" in page.text
    assert "approved by grace" in page.text
    assert f"/runs/{site.odd}" in links(page)
    assert "queued" in site.read("/models/churn/3").text


def test_a_logged_model_has_a_page(site) -> None:
    page = site.read(f"/logged-models/{site.logged}")
    assert f"/runs/{site.odd}" in links(page)


def test_static_files_are_there(site) -> None:
    for name in ("page.css", "page.js", "chart.js"):
        assert site.get(f"/static/{name}").status_code == 200
