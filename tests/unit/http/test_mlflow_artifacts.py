"""Artifacts over the wire: upload, download, lists, parts, and what must never work."""

import asyncio
import errno
import io
import os
import zipfile
from pathlib import Path

import pytest

from mlwright.doors.http.mlflow import artifact_uploads
from mlwright.doors.http.mlflow.artifact_downloads import disposition, media_type
from mlwright.errors import ArtifactCorrupt, Conflict
from mlwright.model.ids import ModelName, RunId
from mlwright.model.registry import Signature
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking.experiments import create_experiment
from mlwright.stages.tracking.runs import add_run

FILES = "2.0/mlflow-artifacts/artifacts"
RUN = "a" * 32


def left(tmp_path: Path) -> list[Path]:
    """Files that an upload left behind."""
    places = [tmp_path / "state" / "uploads", tmp_path / "artifacts" / ".partial"]
    return [each for place in places for each in place.rglob("*") if each.is_file()]


def put(mlflow, path, data=b"data", **given):
    return mlflow.ask("PUT", f"{FILES}/{path}", body=data, **given)


@pytest.fixture
def run(tracking) -> str:
    with tracking.book.write() as tx:
        experiment = int(create_experiment(tx, "e", at=tracking.book.clock.now()))
        add_run(tx, RunId(RUN), experiment=experiment, name="n", started_ms=0, actor="a", values={})
    return f"{experiment}/{RUN}/artifacts"


def test_what_is_uploaded_is_downloaded_and_listed(mlflow, tmp_path) -> None:
    pieces = [b"x" * 700_000, b"", b"y" * 700_000, b"z"]
    assert put(mlflow, "0/r/ünï code.bin", pieces).json == {}
    answer = mlflow.ask("GET", f"{FILES}/0/r/ünï code.bin")
    assert (answer.status, answer.body) == (200, b"".join(pieces))
    assert answer.headers["content-length"] == "1400001"
    assert put(mlflow, "0/r/empty", b"").status == 200
    assert mlflow.ask("GET", f"{FILES}/0/r/empty").body == b""
    assert put(mlflow, "0/r/d/x", b"x").status == 200
    assert mlflow.ask("GET", FILES, query={"path": "0/r"}).json == {
        "files": [
            {"path": "d", "is_dir": True},
            {"path": "empty", "is_dir": False, "file_size": 0},
            {"path": "ünï code.bin", "is_dir": False, "file_size": 1400001},
        ]
    }
    assert mlflow.ask("GET", FILES, query={"path": "nowhere"}).json == {}
    assert mlflow.ask("DELETE", f"{FILES}/0/r/d").json == {}
    assert mlflow.ask("GET", f"{FILES}/0/r/d/x").status == 404
    assert left(tmp_path) == []


def test_an_uploaded_page_cannot_run(mlflow) -> None:
    put(mlflow, "evil.html", b"<script>alert(1)</script>")
    headers = mlflow.ask("GET", f"{FILES}/evil.html").headers
    assert headers["content-disposition"] == "attachment; filename=evil.html"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox")
    assert "allow-" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        ("bytes=" + "9" * 40 + "-", 200, b"0123456789", None),
    ],
)
def test_ranges(mlflow, asked, status, body, content_range) -> None:
    put(mlflow, "digits", b"0123456789")
    answer = mlflow.ask("GET", f"{FILES}/digits", headers={"range": asked})
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, content_range)
    assert answer.headers["content-length"] == str(len(body))


def test_conditions(mlflow) -> None:
    put(mlflow, "a", b"0123456789")
    tag = mlflow.ask("GET", f"{FILES}/a").headers["etag"]
    for given in (tag, f'"x", W/{tag}', "*"):
        unchanged = mlflow.ask("GET", f"{FILES}/a", headers={"if-none-match": given})
        assert (unchanged.status, unchanged.body) == (304, b"")
    same = mlflow.ask("GET", f"{FILES}/a", headers={"range": "bytes=0-1", "if-range": tag})
    assert (same.status, same.body) == (206, b"01")
    put(mlflow, "a", b"changed")
    assert mlflow.ask("GET", f"{FILES}/a", headers={"if-none-match": tag}).body == b"changed"
    other = mlflow.ask("GET", f"{FILES}/a", headers={"range": "bytes=0-1", "if-range": tag})
    assert (other.status, other.body) == (200, b"changed")


def test_head_says_what_get_would(mlflow) -> None:
    put(mlflow, "a.txt", b"0123456789")
    got = mlflow.ask("GET", f"{FILES}/a.txt")
    head = mlflow.ask("HEAD", f"{FILES}/a.txt")
    assert (head.status, head.body, head.headers) == (200, b"", got.headers)


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "a/%2e%2e/%2e%2e/x",
        "%252e%252e/x",
        "%2fetc/passwd",
        "/etc/passwd",
        "..%5C..%5Cx",
        "C:/x",
        "a%00b",
        "a%2500b",
        "file:%2F%2F/etc/passwd",
        "%ff%fe",
        "x" * 2001,
    ],
)
def test_paths_that_lead_somewhere_else_are_refused(mlflow, tmp_path, path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for method in ("PUT", "GET", "DELETE"):
        answer = mlflow.ask(method, f"{FILES}/{path}", body=b"x" if method == "PUT" else b"")
        assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "Invalid path" in answer.json["message"]
    for step in ("create", "complete"):
        given = {"path": "f", "num_parts": 1, "upload_id": "x", "parts": []}
        assert mlflow.ask("POST", f"2.0/mlflow-artifacts/mpu/{step}/{path}", given).status in (400, 404)
    assert [each for each in sorted(tmp_path.rglob("*")) if each not in before and each.is_file()] == []


def test_an_archive_is_kept_as_it_is(mlflow, tmp_path) -> None:
    """Nothing is unpacked here, so an entry of an archive cannot leave anything."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../out", "x")
    put(mlflow, "slip.zip", packed.getvalue())
    assert mlflow.ask("GET", f"{FILES}/slip.zip").body == packed.getvalue()
    assert list(tmp_path.rglob("*out*")) == []


def test_a_file_and_a_folder_of_one_name(mlflow, tmp_path) -> None:
    put(mlflow, "a/b")
    for path in ("a", "a/b/c"):
        answer = put(mlflow, path)
        assert (answer.status, answer.json["error_code"]) == (400, "INVALID_STATE")
    assert (
        mlflow.ask("GET", f"{FILES}/a").json["message"]
        == "Artifact path refers to a directory, not a file: 'a'"
    )
    assert left(tmp_path) == []


async def _raw(app, path: str, messages: list[dict], headers: dict[str, str]) -> list[dict]:
    sent: list[dict] = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    given = {"host": "127.0.0.1", **headers}
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await app(scope, receive, send)
    return sent


def test_a_client_that_leaves_leaves_nothing(mlflow, tmp_path, tracking) -> None:
    messages = [
        {"type": "http.request", "body": b"x" * 3_000_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = asyncio.run(_raw(mlflow.app, f"/api/{FILES}/a", messages, {"content-length": "9000000"}))
    assert sent == []
    assert left(tmp_path) == []
    assert tracking.artifacts.list("") == ()


def test_a_body_that_is_too_short_is_no_artifact(mlflow, tmp_path, tracking) -> None:
    answer = put(mlflow, "a", b"0123", headers={"content-length": "10"})
    assert (answer.status, "4 bytes arrived of the 10" in answer.json["message"]) == (400, True)
    assert left(tmp_path) == []
    assert tracking.artifacts.list("") == ()


def test_a_body_that_stalls(mlflow, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(artifact_uploads, "IDLE_S", 0.05)
    answer = put(mlflow, "a", b"", headers={"content-length": "10"})
    assert answer.status == 400

    async def stalled() -> list[dict]:
        sent: list[dict] = []
        first = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive():
            return first.pop() if first else await asyncio.sleep(60)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "PUT",
            "path": f"/api/{FILES}/a",
            "raw_path": f"/api/{FILES}/a".encode(),
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"10")],
        }
        await mlflow.app(scope, receive, send)
        return sent

    assert asyncio.run(stalled())[0]["status"] == 408
    assert left(tmp_path) == []


def test_more_than_the_disk_has_is_refused_before_it_is_sent(mlflow, tmp_path) -> None:
    answer = put(mlflow, "a", b"x", headers={"content-length": str(1 << 60)})
    assert (answer.status, answer.json["error_code"]) == (507, "RESOURCE_EXHAUSTED")
    assert "the disk of the server is full" in answer.json["message"]
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "disk of the server is full"), (errno.EDQUOT, "full"), (errno.EROFS, "cannot write")],
)
@pytest.mark.parametrize("where", ["arriving", "storing", "part"])
def test_a_disk_that_takes_no_more(mlflow, tracking, tmp_path, monkeypatch, number, says, where) -> None:
    upload = tracking.artifacts.uploads.begin("big", 1)

    def full(*given, **named):
        raise OSError(number, os.strerror(number))

    if where == "storing":
        monkeypatch.setattr("mlwright.adapters.fs.placing.os.replace", full)
        monkeypatch.setattr("mlwright.adapters.fs.placing.os.fsync", full)
    else:
        monkeypatch.setattr(artifact_uploads, "_write_body", full)
    path = f"2.0/mlflow-artifacts/mpu/part/{upload.id}/1" if where == "part" else f"{FILES}/a"
    answer = mlflow.ask("PUT", path, body=b"x" * 100)
    assert (answer.status, answer.json["error_code"]) == (507, "RESOURCE_EXHAUSTED")
    assert says in answer.json["message"]
    monkeypatch.undo()
    assert left(tmp_path) == []
    assert tracking.artifacts.list("") == ()
    assert put(mlflow, "a").status == 200


def test_a_damaged_file_is_never_sent_whole(mlflow, tracking, tmp_path) -> None:
    for name, size in (("small", 100), ("large", 3 << 20)):
        put(mlflow, name, b"x" * size)
        digest = tracking.artifacts.find(name).digest
        blob = tmp_path / "artifacts" / digest[7:9] / digest[9:]
        blob.write_bytes(b"y" + blob.read_bytes()[1:])
    answer = mlflow.ask("GET", f"{FILES}/small")
    assert (answer.status, answer.json["error_code"]) == (409, "DATA_LOSS")
    # The head has left: the connection breaks before the last byte, which the client notices.
    with pytest.raises(ArtifactCorrupt):
        mlflow.ask("GET", f"{FILES}/large")
    blob.unlink()
    assert mlflow.ask("GET", f"{FILES}/large").status == 404


def test_parts(mlflow, tmp_path, run) -> None:
    mpu = "2.0/mlflow-artifacts/mpu"
    begun = mlflow.ask("POST", f"{mpu}/create/{run}/models", {"path": "C:\\home\\big.bin", "num_parts": "3"})
    addresses = [each["url"] for each in begun.json["credentials"]]
    assert [each["part_number"] for each in begun.json["credentials"]] == [1, 2, 3]
    assert all(
        each.startswith("http://127.0.0.1:8500/api/2.0/mlflow-artifacts/mpu/part/") for each in addresses
    )
    tags = {}
    for number in (3, 1, 2):
        place = addresses[number - 1].removeprefix("http://127.0.0.1:8500")
        tags[number] = mlflow.ask("PUT", place, body=str(number).encode() * 9).headers["etag"]
    asked = {
        "path": "C:\\home\\big.bin",
        "upload_id": begun.json["upload_id"],
        "parts": [{"part_number": n, "etag": tags[n], "url": addresses[n - 1]} for n in (1, 2, 3)],
    }
    wrong = {**asked, "parts": [{**each, "etag": tags[1]} for each in asked["parts"]]}
    assert mlflow.ask("POST", f"{mpu}/complete/{run}/models", wrong).status == 400
    for _ in range(2):  # a client that did not hear the answer asks again
        assert mlflow.ask("POST", f"{mpu}/complete/{run}/models", asked).json == {}
    assert mlflow.ask("GET", f"{FILES}/{run}/models/big.bin").body == b"1" * 9 + b"2" * 9 + b"3" * 9
    aborted = {"path": "big.bin", "upload_id": begun.json["upload_id"]}
    assert mlflow.ask("POST", f"{mpu}/abort/{run}/models", aborted).json == {}
    assert mlflow.ask("GET", f"{FILES}/{run}/models/big.bin").status == 200
    assert left(tmp_path) == []


def test_the_address_of_a_part_is_the_one_the_client_reached(mlflow) -> None:
    given = {"path": "f", "num_parts": 1}
    for headers, base in (
        ({"host": "localhost:99"}, "http://localhost:99/api"),
        ({"x-forwarded-proto": "https"}, "https://127.0.0.1:8500/api"),
        ({"x-forwarded-prefix": "/tracking/"}, "http://127.0.0.1:8500/tracking/api"),
        ({"x-forwarded-proto": "javascript"}, "http://127.0.0.1:8500/api"),
    ):
        begun = mlflow.ask("POST", "2.0/mlflow-artifacts/mpu/create/r", given, headers=headers)
        assert begun.json["credentials"][0]["url"].startswith(base)


@pytest.mark.parametrize("place", ["x/1", "x/one", "x", "x/²"])
def test_parts_of_no_upload(mlflow, tmp_path, place) -> None:
    assert mlflow.ask("PUT", f"2.0/mlflow-artifacts/mpu/part/{place}", body=b"x").status == 404
    assert left(tmp_path) == []


def test_addresses_that_are_not_signed(mlflow, run) -> None:
    """As MLflow's server answers where artifacts pass through it: clients fall back."""
    answer = mlflow.ask("GET", f"2.0/mlflow-artifacts/presigned/{run}/x")
    assert (answer.status, answer.json["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert answer.json["message"].startswith("Multipart download is not supported")
    for what in ("upload", "download"):
        asked = {"run_id": RUN, "path": "x"}
        answer = mlflow.ask("POST", f"2.0/mlflow/artifacts/presigned-{what}-url", asked)
        assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert f"Presigned {what} is not supported for proxied" in answer.json["message"]
        unknown = {"run_id": "b" * 32, "path": "x"}
        assert mlflow.ask("POST", f"2.0/mlflow/artifacts/presigned-{what}-url", unknown).status == 404
        both = {**asked, "model_id": "m-1"}
        assert mlflow.ask("POST", f"2.0/mlflow/artifacts/presigned-{what}-url", both).status == 400


def test_lists_of_a_run(mlflow, run) -> None:
    put(mlflow, f"{run}/model/MLmodel", b"m")
    put(mlflow, f"{run}/a.txt", b"a")
    for name in ("run_id", "run_uuid"):
        answer = mlflow.ask("GET", "2.0/mlflow/artifacts/list", query={name: RUN})
        assert answer.json == {
            "root_uri": f"mlflow-artifacts:/{run}",
            "files": [
                {"path": "a.txt", "is_dir": False, "file_size": 1},
                {"path": "model", "is_dir": True},
            ],
        }
    below = mlflow.ask("GET", "2.0/mlflow/artifacts/list", query={"run_id": RUN, "path": "model"}).json
    assert below["files"] == [{"path": "model/MLmodel", "is_dir": False, "file_size": 1}]
    assert (
        "files"
        not in mlflow.ask("GET", "2.0/mlflow/artifacts/list", query={"run_id": RUN, "path": "no"}).json
    )
    for query, status in (({}, 400), ({"run_id": "b" * 32}, 404), ({"run_id": RUN, "path": "../.."}, 400)):
        assert mlflow.ask("GET", "2.0/mlflow/artifacts/list", query=query).status == status


def test_addresses_of_the_pages(mlflow, run) -> None:
    put(mlflow, f"{run}/a b.txt", b"page")
    for place in ("/get-artifact", "/mlflow/get-artifact", "/ajax-api/2.0/mlflow/get-artifact"):
        answer = mlflow.ask("GET", place, query={"run_uuid": RUN, "path": "a b.txt"})
        assert (answer.status, answer.body) == (200, b"page")
        assert answer.headers["content-disposition"] == 'attachment; filename="a b.txt"'
        assert mlflow.ask("GET", place, query={"run_uuid": RUN, "path": "../../x"}).status == 400
        assert mlflow.ask("GET", place, query={"run_uuid": RUN}).status == 400
        assert mlflow.ask("GET", place, query={"path": "a"}).status == 404


def test_uploads_of_the_pages(mlflow, run) -> None:
    place, query = "/ajax-api/2.0/mlflow/upload-artifact", {"run_uuid": RUN, "path": "d/x.json"}
    assert mlflow.ask("POST", place, query=query, body=b"{}").status == 200
    assert mlflow.ask("GET", f"{FILES}/{run}/d/x.json").body == b"{}"
    for wrong, body, says in (
        ({"path": "x"}, b"1", "Request must specify run_uuid."),
        ({"run_uuid": RUN}, b"1", "Request must specify path."),
        (query, b"", "Request must specify data."),
        (query, b"x" * (10 * 1024 * 1024 + 1), "Artifact size is too large. Max size is 10MB."),
    ):
        answer = mlflow.ask("POST", place, query=wrong, body=body)
        assert (answer.status, says in answer.json["message"]) == (400, True)


def test_files_of_a_logged_model(mlflow, run) -> None:
    made = mlflow.ask("POST", "2.0/mlflow/logged-models", {"experiment_id": "0", "name": "m"}).json["model"][
        "info"
    ]
    root = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put(mlflow, f"{root}/data/MLmodel", b"logged")
    place = f"/ajax-api/2.0/mlflow/logged-models/{made['model_id']}/artifacts"
    answer = mlflow.ask("GET", f"{place}/files", query={"artifact_file_path": "data/MLmodel"})
    assert (answer.status, answer.body) == (200, b"logged")
    listed = mlflow.ask("GET", f"{place}/directories", query={"artifact_directory_path": "data"}).json
    assert listed["files"] == [{"path": "data/MLmodel", "is_dir": False, "file_size": 6}]
    assert mlflow.ask("GET", f"{place}/files").status == 400
    assert mlflow.ask("GET", f"{place}/nothing").status == 404
    unknown = "/ajax-api/2.0/mlflow/logged-models/m-x/artifacts/files"
    assert mlflow.ask("GET", unknown, query={"artifact_file_path": "x"}).status == 404


def test_files_of_a_model_version(mlflow, tracking, run) -> None:
    put(mlflow, f"{run}/model/MLmodel", b"version")
    mlflow.ask("POST", "2.0/mlflow/registered-models/create", {"name": "churn"})
    source = {"name": "churn", "source": f"mlflow-artifacts:/{run}/model", "run_id": RUN}
    assert mlflow.ask("POST", "2.0/mlflow/model-versions/create", source).status == 200
    query = {"name": "churn", "version": "1", "path": "MLmodel"}
    for place in ("/model-versions/get-artifact", "/mlflow/model-versions/get-artifact"):
        assert mlflow.ask("GET", place, query=query).body == b"version"
        assert mlflow.ask("GET", place, query={**query, "version": "2"}).status == 404
        assert mlflow.ask("GET", place, query={**query, "path": "../../../x"}).status == 400


def test_files_of_a_version_that_a_pipeline_stored(mlflow, tracking, tmp_path) -> None:
    (tmp_path / "model" / "data").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_bytes(b"ours")
    (tmp_path / "model" / "data" / "w").write_bytes(b"weights")
    digest = tracking.book.artifacts.put_folder(tmp_path / "model")
    with tracking.book.write() as tx:
        registry.create_version(
            tx,
            ModelName("churn"),
            digest,
            run=None,
            at=tracking.book.clock.now(),
            signature=Signature(inputs=(), outputs=()),
            flavor="sklearn",
        )
    listed = mlflow.ask("GET", FILES, query={"path": "registry/churn/1"}).json
    assert [each["path"] for each in listed["files"]] == ["MLmodel", "data"]
    assert mlflow.ask("GET", f"{FILES}/registry/churn/1/data/w").body == b"weights"
    query = {"name": "churn", "version": "1", "path": "MLmodel"}
    assert mlflow.ask("GET", "/model-versions/get-artifact", query=query).body == b"ours"
    assert put(mlflow, "registry/churn/1/MLmodel", b"other").status == 400
    assert mlflow.ask("DELETE", f"{FILES}/registry/churn").status == 400
    with pytest.raises(Conflict, match="never change"):
        tracking.artifacts.put_bytes("registry/churn/1/more", b"x")
    assert mlflow.ask("GET", f"{FILES}/registry/churn/2/MLmodel").status == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MLmodel", "text/plain"),
        ("a.yaml", "text/plain"),
        ("a.py", "text/plain"),
        ("a.png", "image/png"),
        ("a.html", "text/html"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_types_are_those_of_mlflow(name, kind) -> None:
    assert media_type(name) == kind


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.txt", "attachment; filename=a.txt"),
        ('q"u;o.txt', 'attachment; filename="q\\"u;o.txt"'),
        ("ü.txt", "attachment; filename=u.txt; filename*=UTF-8''%C3%BC.txt"),
        ("日本", "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ("a%0d%0aSet-Cookie: x", 'attachment; filename="a%0d%0aSet-Cookie: x"'),
    ],
)
def test_names_of_attachments(name, value) -> None:
    assert disposition(name) == value
