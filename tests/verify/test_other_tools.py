"""Files that the real tools wrote: W&B, Comet, TensorBoard (tensorboardX), DVC with DVCLive; our readers see it all.

Neptune is not among them. Its service is gone since March 2026, its exporter asks that service for everything and is
on no package index: tests/unit/moving/test_neptune.py writes Parquet with the exporter's own columns instead.
"""

import math
import os
import subprocess
from pathlib import Path

import pytest

from mlwright.adapters.moving.comet.opening import open_comet
from mlwright.adapters.moving.dvc.opening import open_dvc
from mlwright.adapters.moving.tensorboard.opening import open_tensorboard
from mlwright.adapters.moving.wandb.opening import open_wandb
from mlwright.model.moving import ForeignRun
from mlwright.model.tracking import RunStatus
from mlwright.ports.foreign_store import ForeignStore

pytestmark = pytest.mark.verify

WANDB = ("wandb==0.31.0", "numpy==2.3.5")
COMET = ("comet_ml==3.58.8",)
TENSORBOARD = ("tensorboardX==2.6.5", "pillow==12.0.0")
DVC = ("dvc==3.67.1", "dvclive==3.49.1")

STEPS = 1500


def points(store: ForeignStore, run: ForeignRun) -> dict[str, tuple[list[int], list[float]]]:
    return {each.key: (each.steps.tolist(), each.values.tolist()) for each in store.histories(run.id)}


def files(store: ForeignStore, run: ForeignRun) -> dict[str, bytes]:
    met = {}
    for file in store.files(run.id):
        with store.open(run.id, file.path) as stream:
            met[file.path] = stream.read()
    return met


def noted(store: ForeignStore) -> set[str]:
    return {note.what for note in store.left_out()}


LOG_WANDB = """
import os, sys, wandb
run = wandb.init(project="churn", name="first", group="g", job_type="train", tags=["a", "b"], notes="a note",
                 config={"depth": 3, "rate": 0.1, "net": {"sizes": [1, 2]}, "word": "h\\u00e9", "fast": True})
print("id", run.id)
for step in range(int(sys.argv[1])):
    run.log({"loss": 1 / (step + 1), "acc": step, "odd/nan": float("nan") if step == 3 else 1.0, "deep": {"er": step}})
run.log({"far": float("inf"), "word": "text"}, step=5000)
run.log({"shape": wandb.Histogram([1, 2, 3]), "table": wandb.Table(columns=["a"], data=[[1]])})
run.summary["best"] = 0.5
run.config["late"] = "x"
with open(os.path.join(run.dir, "note.txt"), "w") as note:
    note.write("hello")
artifact = wandb.Artifact("net", "model")
artifact.add_file("log.py")
run.log_artifact(artifact)
run.finish()
run = wandb.init(project="churn")
run.log({"x": 1})
run.finish(exit_code=1)
"""


def test_wandb(environment, ask, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "log.py").write_text(LOG_WANDB, encoding="utf-8")
    said = ask(environment("wandb", *WANDB), "log.py", str(STEPS), cwd=tmp_path)
    id = next(line.split()[1] for line in said.splitlines() if line.startswith("id "))
    store = open_wandb(tmp_path)
    assert store.about().runs == 2
    runs = {run.status: run for run in store.runs()}
    first, failed = runs[RunStatus.FINISHED], runs[RunStatus.FAILED]
    assert (first.id, first.experiment, first.name) == (f"churn/{id}", "churn", "first")
    assert first.params == {
        "depth": "3",
        "rate": "0.1",
        "net.sizes": "[1, 2]",
        "word": "hé",
        "fast": "True",
        "late": "x",
    }
    assert (first.tags["tags"], first.tags["mlflow.note.content"]) == ("a, b", "a note")
    assert (first.tags["group"], first.tags["job_type"]) == ("g", "train")
    assert first.ended_ms is not None
    assert 0 < first.ended_ms - first.started_ms < 600_000
    met = {key: each for key, each in points(store, first).items() if not key.startswith("system/")}
    every = list(range(STEPS))
    assert met["loss"] == (every, [1 / (step + 1) for step in every])
    assert met["acc"] == met["deep.er"] == (every, [float(step) for step in every])
    assert [step for step, value in zip(*met["odd/nan"], strict=True) if math.isnan(value)] == [3]
    assert met["far"] == ([5000], [math.inf])
    assert met["best"][1] == [0.5]
    assert set(met) == {"loss", "acc", "deep.er", "odd/nan", "far", "best"}
    stored = files(store, first)
    assert stored["note.txt"] == b"hello"
    assert f"id {id}".encode() in stored["output.log"]
    assert any(path.startswith("media/table/") for path in stored)
    assert points(store, failed)["x"] == ([0], [1.0])
    assert {"histogram history of shape", "table-file history of table", "text history of word"} <= noted(
        store
    )
    assert "artifact net (model)" in noted(store)
    assert not {each for each in noted(store) if "record" in each}


LOG_COMET = """
import sys
from comet_ml import OfflineExperiment
made = OfflineExperiment(offline_directory="runs", project_name="churn", workspace="w", display_summary_level=0)
print("key", made.get_key())
made.set_name("first")
made.add_tags(["b", "a"])
made.log_parameters({"depth": 3, "rate": 0.1, "net": {"size": 1}, "word": "h\\u00e9"})
for step in range(int(sys.argv[1])):
    made.log_metric("loss", 1 / (step + 1), step=step, epoch=step // 50)
made.log_metric("nan", float("nan"), step=1)
made.log_metric("far", float("inf"), step=1)
made.log_other("k", "v")
open("note.txt", "w").write("hello")
made.log_asset("note.txt", file_name="a/note.txt")
made.log_asset_data({"a": 1}, name="data.json")
made.log_model("net", "note.txt")
made.log_text("some text", step=2)
made.log_html("<b>x</b>")
with made.context_manager("validation"):
    made.log_metric("loss", 0.5, step=9)
made.end()
"""


def test_comet(environment, ask, tmp_path: Path) -> None:
    (tmp_path / "log.py").write_text(LOG_COMET, encoding="utf-8")
    said = ask(environment("comet", *COMET), "log.py", str(STEPS), cwd=tmp_path)
    key = next(line.split()[1] for line in said.splitlines() if line.startswith("key "))
    store = open_comet(tmp_path / "runs")
    (run,) = store.runs()
    assert (run.id, run.experiment, run.name) == (key, "w/churn", "first")
    assert run.status is RunStatus.FINISHED
    assert run.ended_ms is not None
    assert 0 < run.ended_ms - run.started_ms < 600_000
    wanted = {"depth": "3", "rate": "0.1", "net.size": "1", "word": "hé"}
    assert {name: run.params[name] for name in wanted} == wanted
    assert (run.tags["k"], run.tags["tags"]) == ("v", "a, b")
    met = points(store, run)
    every = list(range(STEPS))
    assert met["loss"] == (every, [1 / (step + 1) for step in every])
    assert (met["far"], met["validation_loss"]) == (([1], [math.inf]), ([9], [0.5]))
    assert math.isnan(met["nan"][1][0])
    stored = files(store, run)
    assert stored["source/log.py"].decode() == LOG_COMET
    assert (stored["a/note.txt"], stored["models/net/note.txt"]) == (b"hello", b"hello")
    assert (stored["data.json"], stored["text-sample/step-2.txt"]) == (b'{"a":1}', b"some text")
    assert b"comet_ml==3.58.8" in stored["requirements.txt"]
    assert {"epochs", "messages of type html"} <= noted(store)
    assert not {each for each in noted(store) if "line" in each or "damaged" in each}


LOG_TENSORBOARD = """
import sys
import numpy
from tensorboardX import SummaryWriter
with SummaryWriter("runs/first") as writer:
    for step in range(int(sys.argv[1])):
        writer.add_scalar("train/loss", 1 / (step + 1), step)
    writer.add_scalar("nan", float("nan"), 1)
    writer.add_text("note", "h\\u00e9", 3)
    writer.add_hparams({"rate": 0.5, "depth": 3, "fast": True, "word": "x"}, {"hp/acc": 0.5}, name="try")
    writer.add_histogram("shape", numpy.arange(10), 1)
    writer.add_image("picture", numpy.zeros((3, 4, 4)), 1)
    writer.add_scalars("both", {"a": 1, "b": 2}, 5)
"""


def test_tensorboard(environment, ask, tmp_path: Path) -> None:
    (tmp_path / "log.py").write_text(LOG_TENSORBOARD, encoding="utf-8")
    ask(environment("tensorboardx", *TENSORBOARD), "log.py", str(STEPS), cwd=tmp_path)
    store = open_tensorboard(tmp_path / "runs")
    runs = {run.id: run for run in store.runs()}
    assert {id: run.parent for id, run in runs.items()} == {
        "first": None,
        "first/both/a": "first",
        "first/both/b": "first",
        "first/try": "first",
    }
    assert {run.experiment for run in runs.values()} == {"runs"}
    assert runs["first/try"].params == {"rate": "0.5", "depth": "3", "fast": "True", "word": "x"}
    met = points(store, runs["first"])
    every = list(range(STEPS))
    assert met["train/loss"][0] == every
    assert met["train/loss"][1] == pytest.approx([1 / (step + 1) for step in every], rel=1e-6)  # 32 bits
    assert math.isnan(met["nan"][1][0])
    assert points(store, runs["first/try"])["hp/acc"] == ([0], [0.5])
    assert points(store, runs["first/both/b"]) == {"both": ([5], [2.0])}
    assert files(store, runs["first"]) == {"text/note.txt": "step 3: hé\n".encode()}
    assert noted(store) == {"histogram shape", "image picture"}


LOG_DVC = """
import yaml
from dvclive import Live
params = yaml.safe_load(open("params.yaml"))
with Live(report=None, save_dvc_exp=False) as live:
    live.log_params(params["train"])
    for step in range(50):
        live.log_metric("train/loss", params["train"]["rate"] / (step + 1), timestamp=True)
        live.next_step()
    live.summary["best"] = 0.7
open("model.bin", "w").write("model of depth %d" % params["train"]["depth"])
"""


@pytest.fixture
def project(environment, tmp_path: Path, monkeypatch) -> Path:
    python = environment("dvc", *DVC)
    place = tmp_path / "project"
    place.mkdir()
    (place / "train.py").write_text(LOG_DVC, encoding="utf-8")
    (place / "params.yaml").write_text("train:\n  rate: 0.5\n  depth: 3\n", encoding="utf-8")
    (place / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: python train.py\n    deps: [train.py]\n    params: [train]\n"
        "    outs: [model.bin]\n"
        "metrics: [dvclive/metrics.json]\nparams: [dvclive/params.yaml]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    for name, value in (("user.name", "ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "config", "--global", name, value], check=True)
    return place


def test_dvc(project: Path, ask) -> None:
    def run(*words: str) -> None:
        ask(*words, cwd=project)

    run("git", "init", "-q", ".")
    run("dvc", "init", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "first")
    run("dvc", "exp", "run", "-q", "-n", "base")
    run("dvc", "exp", "run", "-q", "-n", "deeper", "-S", "train.depth=5")
    store = open_dvc(project)
    runs = {each.name: each for each in store.runs()}
    assert set(runs) == {"base", "deeper"}
    assert "the working folder" in noted(store)
    for name, depth in (("base", "3"), ("deeper", "5")):
        found = runs[name]
        assert found.experiment == "project"
        assert (found.params["train.depth"], found.params["depth"], found.params["rate"]) == (
            depth,
            depth,
            "0.5",
        )
        assert found.tags["stage.train"] == "python train.py"
        met = points(store, found)
        assert met["train/loss"][0] == list(range(50))
        assert met["train/loss"][1] == pytest.approx([0.5 / (step + 1) for step in range(50)])
        assert met["best"][1] == [0.7]
        assert files(store, found)["model.bin"] == f"model of depth {depth}".encode()
        assert found.ended_ms is not None
        assert 0 <= found.ended_ms - found.started_ms < 600_000
