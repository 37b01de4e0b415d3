"""Offline archives of Comet: hostile ones above all."""

import json
import zipfile
from pathlib import Path

import pytest

from mlwright.adapters.moving.comet.opening import open_comet
from mlwright.errors import DataError
from mlwright.model.tracking import RunStatus

HEAD = {"offline_id": "a" * 32, "project_name": "churn", "start_time": 1000, "stop_time": 2000}


def pack(place: Path, messages: str, entries: dict[str, bytes] | None = None, **head: object) -> Path:
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("experiment.json", json.dumps({**HEAD, **head}))
        packed.writestr("messages.json", messages)
        for name, data in (entries or {}).items():
            packed.writestr(name, data)
    return place / "a.zip"


def said(kind: str, **payload: object) -> str:
    return json.dumps({"type": kind, "payload": payload}) + "\n"


def upload(entry: str, name: str, kind: str = "asset", **details: object) -> str:
    return said(
        "file_upload", file_path=entry, upload_type=kind, additional_params={"fileName": name, **details}
    )


def test_what_the_messages_say(tmp_path: Path) -> None:
    messages = [
        said("parameter_msg", param={"paramName": "net|depth", "paramValue": 1}),
        said("parameter_msg", param={"paramName": "net|depth", "paramValue": 3}),
        said("parameter_msg", params={"paramName": "sizes", "paramValue": [1, 2]}, context="train"),
        said(
            "metric_msg",
            context="valid",
            metric={"metricName": "auc", "metricValue": 0.5, "step": 2, "epoch": 1},
        ),
        said(
            "metric_msg",
            metric={"metricName": "sys.cpu", "metricValue": 5, "step": None},
            local_timestamp=1500,
        ),
        said(
            "metric_msg", metric={"metricName": "sys.cpu", "metricValue": "-Infinity"}, local_timestamp=1600
        ),
        said("metric_msg", metric={"metricName": "sys.cpu", "metricValue": "fast"}),
        said("system_details", user="ada", hostname="vm"),
        said("git_metadata", git_metadata={"parent": "c0ffee", "branch": "main"}),
        said("standard_output", output="hello\n"),
        said("installed_packages", installed_packages=["a==1", "b==2"]),
        said("html", html="<b>"),
        "no json\n",
    ]
    store = open_comet(pack(tmp_path, "".join(messages), tags=["y", "x"], customer_error_reported=True))
    (run,) = store.runs()
    assert (run.id, run.experiment, run.status, run.actor) == ("a" * 32, "churn", RunStatus.FAILED, "ada")
    assert (run.started_ms, run.ended_ms) == (1000, 2000)
    assert run.params == {"net.depth": "3", "train_sizes": "[1, 2]"}
    assert run.tags == {"host": "vm", "mlflow.source.git.commit": "c0ffee", "tags": "x, y"}
    points = {
        each.key: (each.steps.tolist(), each.at_ms.tolist(), each.values.tolist())
        for each in store.histories(run.id)
    }
    assert points == {"sys.cpu": ([0, 1], [1500, 1600], [5.0, -float("inf")]), "valid_auc": ([2], [0], [0.5])}
    files = {file.path: store.open(run.id, file.path).read() for file in store.files(run.id)}
    assert files == {"output.log": b"hello\n", "requirements.txt": b"a==1\nb==2\n"}
    noted = {note.what for note in store.left_out()}
    assert noted == {"epochs", "line 13 of messages.json", "messages of type html", "metric sys.cpu"}


def test_a_run_that_did_not_stop_still_runs(tmp_path: Path) -> None:
    (run,) = open_comet(pack(tmp_path, "", stop_time=None)).runs()
    assert (run.status, run.ended_ms) == (RunStatus.RUNNING, None)


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    entries = {
        "../../evil": b"one",
        "/etc/passwd": b"two",
        "same": b"three",
        "other": b"four",
        "code": b"five",
    }
    messages = (
        upload("../../evil", "../../../up.txt")
        + upload("/etc/passwd", "/etc/passwd")
        + upload("same", "a.txt")
        + upload("other", "a.txt")
        + upload("code", "/home/ada/train.py", "source_code")
        + upload("missing", "gone.txt")
        + upload("experiment.json", "head.json")
    )
    place = tmp_path / "deep" / "er"
    place.mkdir(parents=True)
    store = open_comet(pack(place, messages, entries))
    (run,) = store.runs()
    files = {}
    for file in store.files(run.id):
        with store.open(run.id, file.path) as stream:
            files[file.path] = stream.read()
    assert files == {
        "up.txt": b"one",
        "etc/passwd": b"two",
        "a.txt": b"three",
        "a-2.txt": b"four",
        "source/train.py": b"five",
    }
    assert [note.what for note in store.left_out()] == ["gone.txt"]
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.zip", "deep", "er"]


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    store = open_comet(pack(tmp_path, upload("bomb", "bomb.bin"), {"bomb": b"\0" * (65 * 1024 * 1024)}))
    (run,) = store.runs()
    assert list(store.files(run.id)) == []
    assert any("claims 65 MiB" in note.why for note in store.left_out())
    with pytest.raises(DataError, match="claims 65 MiB"):
        store.open(run.id, "bomb.bin")


def test_a_line_without_an_end_is_passed_over(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("mlwright.adapters.moving.comet.archive._MOST_LINE", 4096)
    metric = said("metric_msg", metric={"metricName": "auc", "metricValue": 1, "step": 0})
    filler = "".join(f"{number:07d}" for number in range(3000))
    store = open_comet(pack(tmp_path, metric + f'"{filler}"\n' + metric))
    (run,) = store.runs()
    (auc,) = store.histories(run.id)
    assert auc.values.tolist() == [1.0, 1.0]
    assert [note.what for note in store.left_out()] == ["line 2 of messages.json"]


@pytest.mark.parametrize("at", ["head", "middle", "tail"])
def test_damage_inside_is_noted(tmp_path: Path, at: str) -> None:
    lines = "".join(
        said("metric_msg", metric={"metricName": f"m{n % 7}", "metricValue": n * 0.37, "step": n})
        for n in range(4000)
    )
    file = pack(tmp_path, lines)
    good = open_comet(file).about()
    data = bytearray(file.read_bytes())
    where = {"head": 60, "middle": len(data) // 2, "tail": len(data) - 40}[at]
    data[where : where + 16] = b"\xff" * 16
    (tmp_path / "b.zip").write_bytes(data)
    pack(tmp_path, lines, offline_id="b" * 32)
    store = open_comet(tmp_path)
    for run in store.runs():
        list(store.histories(run.id))
    assert good.runs == 1
    assert [note.where for note in store.left_out() if note.where == "b.zip"]


def test_files_that_are_damaged_are_errors(tmp_path: Path) -> None:
    file = pack(tmp_path, upload("entry", "a.bin"), {"entry": bytes(range(256)) * 400})
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as packed:
        at = packed.getinfo("entry").header_offset
    data[at + 60 : at + 90] = b"\xff" * 30
    file.write_bytes(data)
    store = open_comet(file)
    (run,) = store.runs()
    with store.open(run.id, "a.bin") as stream, pytest.raises(DataError, match="damaged"):
        stream.read()
