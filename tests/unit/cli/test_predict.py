"""``predict`` and ``feedback`` against a real inference server in this process."""

import json
import threading
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from mlwright.adapters.config.load import load_settings
from mlwright.doors.http.inference.server import serve
from mlwright.wiring.inference import open_inference

ROWS = [
    {"renewal_id": "x1", "customer_id": "c001", "plan": "basic", "months": 3, "price": 9.0, "tickets": 2},
    {"renewal_id": "x2", "customer_id": "c002", "plan": "pro", "months": 30, "price": 29.0, "tickets": None},
]


@pytest.fixture
def serve_it(unused_port) -> Iterator[Callable[[object], None]]:
    """Serves a project until the test ends."""
    stop, threads = threading.Event(), []

    def begin(shell) -> None:
        host = open_inference(load_settings(shell.folder / "mlwright.toml"))
        ready = threading.Event()
        arguments = {"ready": ready.set, "stop": stop}
        threads.append(
            threading.Thread(target=serve, args=(host, "127.0.0.1", unused_port), kwargs=arguments)
        )
        threads[0].start()
        assert ready.wait(30)

    yield begin
    stop.set()
    for each in threads:
        each.join()


@pytest.fixture
def served(copied, edit, serve_it, unused_port):
    """A project whose endpoint answers."""
    edit(
        copied.folder / "mlwright.toml", "[project]", f"[serve]\ninference_port = {unused_port}\n\n[project]"
    )
    serve_it(copied)
    return copied


def test_examples_and_files_are_answered_and_labelled(served, tmp_path) -> None:
    answered = served.json("predict", "churn", "--example")
    assert len(answered) == 5
    assert all(0 < each["score"] < 1 and each["model_version"] == "churn/1" for each in answered)
    times = ["2025-11-03T10:00:00Z", "2025-11-03T11:00:00Z"]
    rows = [{**row, "asked_at": at} for row, at in zip(ROWS, times, strict=True)]
    given = {}
    for name, write in {
        "rows.json": lambda path: path.write_text(json.dumps(rows), encoding="utf-8"),
        "rows.csv": lambda path: pl.DataFrame(rows).write_csv(path),
        "rows.parquet": lambda path: pl.DataFrame(rows).write_parquet(path),
    }.items():
        write(tmp_path / name)
        given[name] = served.json("predict", "churn", "--input", str(tmp_path / name))
    scores = {tuple(each["score"] for each in answers) for answers in given.values()}
    assert len(scores) == 1
    assert [each["entity_key"] for each in given["rows.csv"]] == ["x1", "x2"]
    assert "prediction" in served("predict", "churn", "--example").stdout
    labels = tmp_path / "labels.json"
    ids = [each["prediction_id"] for each in given["rows.json"]]
    at = "2025-11-09T10:00:00Z"
    labels.write_text(
        json.dumps([{"prediction_id": id, "label": 1, "observed_at": at} for id in ids]), encoding="utf-8"
    )
    assert served.json("feedback", "churn", "--input", str(labels)) == {
        "endpoint": "churn",
        "accepted": 2,
        "repeated": 0,
    }
    # The project's own names of entity, label and instant do as well.
    labels.write_text(json.dumps([{"renewal_id": "x1", "churned": True}]), encoding="utf-8")
    assert served.json("feedback", "churn", "--input", str(labels))["accepted"] == 1
    for name in ("again.ndjson", "again.csv", "again.parquet"):
        write = {"ndjson": "write_ndjson", "csv": "write_csv", "parquet": "write_parquet"}[name.split(".")[1]]
        told = pl.DataFrame([{"prediction_id": id, "label": 1, "observed_at": at} for id in ids])
        getattr(told, write)(tmp_path / name)
        again = served.json("feedback", "churn", "--input", str(tmp_path / name))
        assert (again["accepted"], again["repeated"]) == (2, 2)
    window = ["--from", "2025-11-03", "--to", "2025-11-04"]
    measured = served.json("monitor", "churn", *window)["performance"][0]
    assert (measured["predictions"], measured["labelled"]) == (6, 4)


def test_another_port_than_the_settings_say(served, edit, unused_port) -> None:
    edit(served.folder / "mlwright.toml", f"inference_port = {unused_port}", "inference_port = 1")
    assert served("predict", "churn", "--example").exit_code == 3
    assert len(served.json("predict", "churn", "--example", "--port", str(unused_port))) == 5


def test_what_the_server_refuses_is_said_as_it_said_it(served, tmp_path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("renewal_id,plan\n,basic\n", encoding="utf-8")
    error = served.json("predict", "churn", "--input", str(file), code=2)["error"]
    assert error["code"] == "BadRequest"
    assert {each["where"] for each in error["faults"]} == {"customer_id", "renewal_id[0]"}
    file.write_text("renewalid,plan\nx,basic\n", encoding="utf-8")
    done = served("predict", "churn", "--input", str(file))
    assert done.exit_code == 7
    assert "did you mean 'renewalid'?" in done.stderr
    file.write_text("renewal_id,months\nx,many\n", encoding="utf-8")
    assert "column months" in served("predict", "churn", "--input", str(file)).stderr


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", None), ("a.txt", "x"), ("a.json", "{"), ("a.json", "[1]")]
)
def test_files_that_hold_no_rows(deployed, tmp_path, name, content) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    done = deployed("feedback", "churn", "--input", str(tmp_path / name))
    assert done.exit_code == 7
    assert str(tmp_path / name) in done.stderr


def test_labels_without_a_label(deployed, tmp_path) -> None:
    (tmp_path / "a.csv").write_text("prediction_id,lable\np,1\n", encoding="utf-8")
    done = deployed("feedback", "churn", "--input", str(tmp_path / "a.csv"))
    assert done.exit_code == 7
    assert "did you mean 'lable'?" in done.stderr


RULES = """
from dataclasses import dataclass

EXAMPLE = [{"months": 3.0, "plan": "basic"}, {"months": 40.0, "plan": None}]


@dataclass
class Risk:
    risk: float
    reason: str


def predict(months: float, plan: str | None) -> Risk:
    return Risk(risk=1 / (1 + months), reason=plan or "none")
"""


@pytest.fixture
def bare(tmp_path, unused_port, shell_at):
    """A project that serves a function, whose rows have no entity and no truth."""
    (tmp_path / "mlwright.toml").write_text(
        f'[project]\nname = "rules"\n[serve]\ninference_port = {unused_port}\n[registry]\nprove = "off"\n'
        '[[endpoint]]\nname = "rules"\nmodel = "rules@champion"\n'
    )
    (tmp_path / "rules.py").write_text(RULES)
    (tmp_path / "pipeline.py").write_text("")
    shell = shell_at(tmp_path)
    shell.json("models", "register", f"{tmp_path}/rules.py:predict", "--name", "rules", "--alias", "champion")
    shell.json("deploy", "rules")
    return shell


def test_rows_without_an_entity(bare, serve_it, tmp_path) -> None:
    serve_it(bare)
    answered = bare.json("predict", "rules", "--example")
    assert [each["outputs"] for each in answered] == [
        {"risk": 0.25, "reason": "basic"},
        {"risk": 1 / 41, "reason": "none"},
    ]
    assert [each["entity_key"] for each in answered] == [None, None]
    shown = bare("predict", "rules", "--example").stdout
    assert "reason" in shown
    assert "entity" not in shown
    (tmp_path / "rows.csv").write_text("months,plan,entity_key\n1.0,pro,me\n")
    (one,) = bare.json("predict", "rules", "--input", str(tmp_path / "rows.csv"))
    assert (one["entity_key"], one["outputs"]["risk"]) == ("me", 0.5)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([{"prediction_id": one["prediction_id"], "label": 1}]))
    assert bare.json("feedback", "rules", "--input", str(labels))["accepted"] == 1
    labels.write_text(json.dumps([{"prediction_id": one["prediction_id"]}]))
    assert "there is no column 'label'" in bare("feedback", "rules", "--input", str(labels)).stderr


def test_commands_of_an_endpoint_that_nobody_labels(bare) -> None:
    said = bare.json("monitor", "rules", code=2)["error"]
    assert said["code"] == "SettingsError"
    assert "label" in said["next"]
    assert bare.json("tick") == []
    assert "no endpoint has a label" in bare("tick").stdout
    shown = bare.json("monitor", "rules", "--drift", "--data", "--update")
    assert (shown["performance"], shown["drift"], shown["metric"]) == ([], [], None)
    assert "nothing is known of its quality" in bare("monitor", "rules", "--drift").stdout
    assert bare.json("withdraw", "rules")["variants"] == []
    assert "out of service" in bare("endpoints").stdout
    for command in (["doctor"], ["assess"], ["alerts"], ["decisions"], ["models", "card", "rules/1"]):
        assert bare(*command).exit_code == 0, command
    assert bare.json("rollout", "start", "rules", "rules/1", code=3)["error"]["next"]
