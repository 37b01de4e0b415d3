"""What must not get out: files beside the artifacts, secrets, and whatever a name on the way in tries to become."""

import io
import json
import logging
import os
import tarfile
import unicodedata
import zipfile

import pytest
from sqlalchemy import inspect, text

from mlwright.errors import MlwrightError, UsageError
from mlwright.platform.tracking.dispatching import Dispatcher
from mlwright.platform.tracking.secrets import read_secret
from mlwright.testing.fakes.webhooks import RecordingWebhookSender
from mlwright.wiring.tracking import open_tracking

FILES = "2.0/mlflow-artifacts/artifacts"
EVENTS = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
MARK = b"what nobody may read"

PATHS = [
    *("../secret", "..%2fsecret", "%2e%2e/secret", "%252e%252e%252fsecret", "%25252e%25252e/secret"),
    *("....//secret", "..;/secret", "..\\secret", "%5c..%5csecret", "{folder}/secret", "%2f{folder}/secret"),
    *(
        "file://{folder}/secret",
        "~/secret",
        "..%c0%afsecret",
        "%c0%ae%c0%ae/secret",
        "．．/secret",
        "..∕secret",
    ),
    *(
        "a/../../secret",
        "./../secret",
        ".%2e/secret",
        "%u002e%u002e/secret",
        "a\0/../secret",
        "%00",
        "CON",
        "a:b",
    ),
    *("\\\\?\\C:\\x", "//host/share", "a" * 256, "é" * 128, "a/" * 900 + "b", "‮gpj.exe", "-rf", "*", "$(id)"),
]


@pytest.fixture
def known(mlflow, tmp_path) -> dict[str, str]:
    """A run, a logged model and a version of a model; and a file beside the artifacts."""

    def post(path: str, **body):
        made = mlflow.ask("POST", f"2.0/mlflow/{path}", body)
        assert made.status == 200, made.body
        return made.json

    (tmp_path / "secret").write_bytes(MARK)
    experiment = post("experiments/create", name="walls")["experiment_id"]
    run = post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    model = post("logged-models", experiment_id=experiment, name="m")["model"]["info"]["model_id"]
    post("registered-models/create", name="churn")
    source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/model"
    post("model-versions/create", name="churn", source=source, run_id=run)
    return {"experiment": experiment, "run": run, "model": model}


def outside(folder) -> list[str]:
    """Files that are neither blobs by digest nor the database's."""
    found = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file() or each.is_symlink()]
    blobs = [each for each in found if each.parts[0] == "artifacts" and len(each.parts) == 3]
    assert all(len(each.name) == 62 for each in blobs)
    return sorted(
        str(each) for each in found if each not in blobs and not each.name.startswith("tracking.db")
    )


@pytest.mark.parametrize("path", PATHS)
def test_no_path_in_any_place_leads_out(mlflow, known, tmp_path, path) -> None:
    path = path.replace("{folder}", str(tmp_path))
    run, ask = known["run"], mlflow.ask
    mpu = "2.0/mlflow-artifacts/mpu"
    of_model = f"2.0/mlflow/logged-models/{known['model']}/artifacts"
    answers = [
        ask("PUT", f"{FILES}/{path}", body=b"x"),
        ask("GET", f"{FILES}/{path}"),
        ask("GET", FILES, query={"path": path}),
        ask("GET", "2.0/mlflow/artifacts/list", query={"run_id": run, "path": path}),
        ask("GET", "/get-artifact", query={"run_id": run, "path": path}),
        ask("GET", "/model-versions/get-artifact", query={"name": "churn", "version": "1", "path": path}),
        ask("GET", f"{of_model}/directories", query={"artifact_directory_path": path}),
        ask("GET", f"{of_model}/files", query={"artifact_file_path": path}),
        ask("POST", "2.0/mlflow/upload-artifact", query={"run_uuid": run, "path": path}, body=b"x"),
        ask("POST", f"{mpu}/create/{path}", {"path": "f", "num_parts": 1}),
        ask("POST", f"{mpu}/create", {"path": path, "num_parts": 1}),
        ask("POST", f"{mpu}/complete/{path}", {"path": "f", "upload_id": path, "parts": []}),
        ask("PUT", f"{mpu}/part/{path}/1", body=b"x"),
        ask("GET", "/get-trace-artifact", query={"request_id": path}),
    ]
    for source in (path, f"mlflow-artifacts:/{path}", f"runs:/{run}/{path}", f"models:/{path}"):
        asked = {"name": "churn", "source": source, "run_id": run}
        answers.append(ask("POST", "2.0/mlflow/model-versions/create", asked))
    answers.append(ask("DELETE", f"{FILES}/{path}"))
    for number, each in enumerate(answers):
        assert each.status in (200, 400, 404), (number, each)
        assert MARK not in each.body, number
    assert (tmp_path / "secret").read_bytes() == MARK
    assert outside(tmp_path) == ["secret"]


def test_versions_whose_source_leads_out_name_nothing_that_is_there(
    mlflow, known, tracking, tmp_path
) -> None:
    for number, source in enumerate((f"{tmp_path}", f"file://{tmp_path}", "/etc", "file:///etc", "../../..")):
        asked = {"name": "churn", "source": source}
        made = mlflow.ask("POST", "2.0/mlflow/model-versions/create", asked)
        if made.status == 200:
            query = {"name": "churn", "version": made.json["model_version"]["version"], "path": "secret"}
            answer = mlflow.ask("GET", "/model-versions/get-artifact", query=query)
            assert answer.status in (400, 404, 501), (number, answer)
        else:
            assert made.status == 400


def test_a_folder_of_hostile_names_is_fetched_into_its_folder_or_refused(
    mlflow, known, tracking, tmp_path
) -> None:
    root = f"{known['experiment']}/{known['run']}/artifacts"
    kept = []
    for path in PATHS:
        path = path.replace("{folder}", str(tmp_path))
        kept.append(mlflow.ask("PUT", f"{FILES}/{root}/all/{path}", body=b"x").status == 200)
    assert any(kept)
    target = tmp_path / "fetched"
    tracking.artifacts.fetch_folder(f"{root}/all", target)
    files = [each for each in target.rglob("*") if each.is_file()]
    assert all(each.resolve().is_relative_to(target) for each in files)
    assert {each for each in outside(tmp_path) if not each.startswith("fetched/")} == {"secret"}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_of_hostile_entries_is_only_ever_a_file(mlflow, known, tracking, tmp_path, kind) -> None:
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for name in ("../../out", "/tmp/mlwright-out", "data.pkl", "a" * 300):
                archive.writestr(name, MARK)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz" if kind == "tar.gz" else "w") as archive:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(link)
            entry = tarfile.TarInfo("../../out")
            entry.size = len(MARK)
            archive.addfile(entry, io.BytesIO(MARK))
    root = f"{known['experiment']}/{known['run']}/artifacts/model"
    for name in (f"model.{kind}", "model.pkl", "data.pt"):
        assert mlflow.ask("PUT", f"{FILES}/{root}/{name}", body=packed.getvalue()).status == 200
        assert mlflow.ask("GET", f"{FILES}/{root}/{name}").body == packed.getvalue()
    fetched = tracking.artifacts.fetch_folder(root, tmp_path / "fetched")
    assert sorted(each.name for each in fetched.rglob("*")) == sorted(
        [f"model.{kind}", "model.pkl", "data.pt"]
    )
    assert {each for each in outside(tmp_path) if not each.startswith("fetched/")} == {"secret"}


def test_names_that_only_look_the_same_are_two(mlflow, known, tracking, tmp_path) -> None:
    root = f"{known['experiment']}/{known['run']}/artifacts/names"
    one, other = unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")
    for name in (one, other):
        assert mlflow.ask("PUT", f"{FILES}/{root}/{name}", body=name.encode()).status == 200
    for name in (one, other):
        assert mlflow.ask("GET", f"{FILES}/{root}/{name}").body == name.encode()
    fetched = tracking.artifacts.fetch_folder(root, tmp_path / "fetched")
    assert {each.name: each.read_bytes() for each in fetched.iterdir()} == {
        one: one.encode(),
        other: other.encode(),
    }


def test_a_link_in_the_place_of_a_blob_gives_nothing_away(mlflow, known, tracking, tmp_path) -> None:
    path = f"{FILES}/{known['experiment']}/{known['run']}/artifacts/file"
    assert mlflow.ask("PUT", path, body=b"y" * len(MARK)).status == 200
    [blob] = [each for each in (tmp_path / "artifacts").rglob("*") if each.is_file()]
    blob.unlink()
    blob.symlink_to(tmp_path / "secret")
    answer = mlflow.ask("GET", path)
    assert (answer.status, answer.json["error_code"]) == (409, "DATA_LOSS")
    assert MARK not in answer.body
    # Stored again, it is a file again, and what the link led to is as it was.
    assert mlflow.ask("PUT", path, body=b"y" * len(MARK)).status == 200
    assert mlflow.ask("GET", path).body == b"y" * len(MARK)
    assert (tmp_path / "secret").read_bytes() == MARK
    assert not blob.is_symlink()


def test_artifacts_may_lie_behind_a_link_of_whoever_runs_the_server(tmp_path, empty_database) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    opened = open_tracking(
        database=f"sqlite:///{tmp_path / 'db'}",
        artifacts=str(tmp_path / "near"),
        state=tmp_path / "near" / "state",
    )
    opened.artifacts.put_bytes("0/r/artifacts/a", b"data")
    with opened.artifacts.open("0/r/artifacts/a") as file:
        assert file.read() == b"data"
    opened.close()
    assert any(each.is_file() for each in (tmp_path / "far").rglob("*"))


# Secrets

SECRET = "s3cr3t-of-the-webhook"


def test_a_webhook_s_secret_is_in_no_answer_no_log_no_table(mlflow, tracking, tmp_path, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    tracking.book.sender = RecordingWebhookSender()
    given = {"name": "ci", "url": "https://example.org/", "events": EVENTS, "secret": SECRET}
    hooks = "2.0/mlflow/webhooks"
    made = mlflow.ask("POST", hooks, given)
    id = made.json["webhook"]["webhook_id"]
    answers = [
        made,
        mlflow.ask("GET", hooks),
        mlflow.ask("GET", f"{hooks}/{id}"),
        mlflow.ask("PATCH", f"{hooks}/{id}", {"secret": SECRET + "2", "name": "cd"}),
        mlflow.ask("POST", f"{hooks}/{id}/test"),
        # Refused ones must not quote it either.
        mlflow.ask("POST", hooks, {**given, "secret": SECRET * 2_000}),
        mlflow.ask("POST", hooks, {**given, "secret": [SECRET]}),
        mlflow.ask("POST", hooks, {**given, "url": "ftp://x"}),
        mlflow.ask("PATCH", f"{hooks}/{id}", {"secret": SECRET, "url": "ftp://x"}),
        mlflow.ask("POST", "2.0/mlflow/registered-models/create", {"name": "told"}),
    ]
    assert [each.status for each in answers] == [200] * 5 + [400] * 4 + [200]
    Dispatcher(tracking.book, tracking.book.sender).deliver_due()
    assert tracking.book.sender.sent
    said = b"".join(each.body for each in answers).decode() + caplog.text
    assert SECRET not in said + repr(tracking.webhooks.deliveries(id))
    with tracking.book.read() as tx:
        for name in inspect(tx).get_table_names():
            assert SECRET not in repr(tx.execute(text(f'SELECT * FROM "{name}"')).all()), name
    # Only the files of secrets hold it, and only their owner reads them.
    holding = [
        each for each in tmp_path.rglob("*") if each.is_file() and SECRET.encode() in each.read_bytes()
    ]
    assert holding
    assert {each.parent for each in holding} == {tracking.webhooks.secrets}
    assert {oct(each.stat().st_mode)[-3:] for each in holding} == {"600"}
    assert oct(tracking.webhooks.secrets.stat().st_mode)[-3:] == "700"


@pytest.mark.parametrize(
    "place", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "/", "{folder}/pipe", "{folder}/long"]
)
def test_a_reference_that_has_no_end_is_no_secret(tmp_path, place) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"x" * 20_000)
    with pytest.raises(UsageError, match="cannot be read"):
        read_secret(f"file:{place.replace('{folder}', str(tmp_path))}")
    (tmp_path / "good").write_text("right\n")
    assert read_secret(f"file:{tmp_path / 'good'}") == "right"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:{}@127.0.0.1:1/db",
        "postgresql://me:{}@[nonsense/db",
        "postgresql://me@127.0.0.1:1/db?password={}",
        "mysql://me:{}@127.0.0.1/db",
        "postgres://me:{}@127.0.0.1:notaport/db",
    ],
)
def test_the_password_of_a_database_is_in_no_message(tmp_path, url, capfd) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(MlwrightError) as raised:
        open_tracking(database=url.format("hunter2"), artifacts=str(tmp_path), state=tmp_path)
    fault: BaseException | None = raised.value
    while fault is not None:
        assert "hunter2" not in str(fault), type(fault)
        fault = fault.__cause__
    assert "hunter2" not in json.dumps([str(each) for each in capfd.readouterr()])
