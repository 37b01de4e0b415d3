"""Artifacts by path: which paths there can be, what a folder holds, what is restored, what is collected."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, insert

from mlwright.errors import (
    ArtifactCorrupt,
    BadRequest,
    Conflict,
    NotFound,
    StorageError,
    Unsupported,
    UsageError,
)
from mlwright.model.artifacts import ArtifactFile
from mlwright.model.ids import Digest, RunId
from mlwright.model.instants import to_micros
from mlwright.stages.pipelines.store import save_checkpoint
from mlwright.stages.tracking import artifact_tables as tables
from mlwright.stages.tracking import artifacts as rows
from mlwright.stages.tracking.experiments import create_experiment
from mlwright.stages.tracking.runs import add_run

RUN = "a" * 32


@pytest.fixture
def artifacts(tracking):
    return tracking.artifacts


@pytest.fixture
def file(tmp_path):
    def write(data: bytes) -> Path:
        (tmp_path / "file").write_bytes(data)
        return tmp_path / "file"

    return write


def lying(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def names(found):
    return [(each.path, each.is_folder, each.size) for each in found]


HOSTILE = [
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "%2e%2e%2fx",
    "%2E%2E/x",
    "a/%2e%2e/%2e%2e/x",
    "%252e%252e%252fx",
    "%25252e%25252e/x",
    "..%5cx",
    "..\\x",
    "a\\..\\..\\x",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "C:/windows/x",
    "C:\\x",
    "c%3a/x",
    "a/C:/x",
    "C:x",
    "\\\\host\\share\\x",
    "a\0b",
    "a%00b",
    "a%2500b",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "file%3a/etc",
    "a#b",
    "a%23b",
    "\ud800",
    "x" * 256,
    "/".join(["x" * 200] * 11),
    "ü" * 128,
    "%" + "25" * 12 + "2e",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_paths_that_lead_somewhere_else_are_refused(path) -> None:
    with pytest.raises(BadRequest, match="Invalid path"):
        rows.clean_path(path)


def test_paths_that_lead_somewhere_else_are_refused_everywhere(artifacts, file, tmp_path) -> None:
    for path in HOSTILE:
        for ask in (
            lambda path: artifacts.put(path, file(b"x")),
            lambda path: artifacts.put_bytes(path, b"x"),
            artifacts.find,
            artifacts.open,
            artifacts.list,
            artifacts.delete,
            lambda path: artifacts.fetch_folder(path, tmp_path / "target"),
            lambda path: artifacts.uploads.begin(path, 2),
        ):
            with pytest.raises(BadRequest, match="Invalid path"):
                ask(path)
    assert not (tmp_path / "target").exists()
    assert artifacts.list("") == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a//b/./c/", "a/b/c"),
        ("", ""),
        (".", ""),
        ("ü ñ/日本.txt", "ü ñ/日本.txt"),
        ("a%20b", "a b"),
        ("100%", "100%"),
        ("100%25", "100%"),
        ("a...b/..c/d..", "a...b/..c/d.."),
        ("12:30:00.txt", "12:30:00.txt"),
        ("a\nb\x7f", "a%0ab%7f"),
        ("a_b%5Fc", "a_b_c"),
        ("x" * 255, "x" * 255),
    ],
)
def test_paths_as_they_are_kept(given, kept) -> None:
    assert rows.clean_path(given) == kept


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["..", "%2e", "/", "\\", "%25", "a", "%", ":"])).map("".join)
)
def test_a_path_that_is_kept_stays_in_its_folder_and_does_not_change(text) -> None:
    try:
        kept = rows.clean_path(text)
    except BadRequest:
        return
    assert not kept.startswith("/")
    assert not {"..", "."} & set(kept.split("/"))
    assert "\0" not in kept
    assert "\\" not in kept
    if "%" not in kept:  # an escaped control character is decoded and escaped again
        assert rows.clean_path(kept) == kept


def test_what_is_put_is_there(artifacts, file) -> None:
    put = artifacts.put("0/r/artifacts/model/MLmodel", file(b"flavors"))
    assert artifacts.find("0/r/artifacts/model/MLmodel") == put
    assert (put.size, put.path) == (7, "0/r/artifacts/model/MLmodel")
    with artifacts.open(put.path) as opened:
        assert opened.read() == b"flavors"
    again = artifacts.put_bytes(put.path, b"other")
    assert artifacts.find(put.path) == again != put
    assert file(b"stays").exists()
    given_up = file(b"gone")
    artifacts.put("consumed", given_up, consume=True)
    assert not given_up.exists()


def test_lists_of_a_folder(artifacts) -> None:
    for path in ("m/a/x", "m/a/y/z", "m/a-b", "m/a0", "m/B", "m/ä", "ma", "m_/x", "mz%"):
        artifacts.put_bytes(path, path.encode())
    assert names(artifacts.list("m")) == [
        ("m/B", False, 3),
        ("m/a", True, None),
        ("m/a-b", False, 5),
        ("m/a0", False, 4),
        ("m/ä", False, 4),
    ]
    assert [each.path for each in artifacts.list("")] == ["m", "m_", "ma", "mz%"]
    assert names(artifacts.list("m/a")) == [("m/a/x", False, 5), ("m/a/y", True, None)]
    for nothing in ("m/a/x", "m%", "_", "nowhere", "m/a/"[:2]):
        assert artifacts.list(nothing) == () or nothing == "m/"


@given(
    st.sets(
        st.lists(st.sampled_from(["a", "b", "a0", "a-", "ü", "%", "_"]), min_size=1, max_size=4).map(tuple)
    )
)
def test_lists_are_those_of_a_file_system(paths) -> None:
    engine = create_engine("sqlite://")
    tables.files.create(engine)
    # A file that stands in the way of a longer path would be refused.
    kept = {path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))}
    with engine.begin() as tx:
        for path in sorted(kept):
            tx.execute(insert(tables.files).values(path="/".join(path), digest="d", size=1, modified_at=0))
        for folder in {()} | {path[:n] for path in kept for n in range(1, len(path))}:
            below = {path[len(folder) :] for path in kept if path[: len(folder)] == folder}
            expected = sorted({(path[0], len(path) > 1) for path in below})
            found = rows.list_folder(tx, "/".join(folder))
            assert [(each.path.rpartition("/")[2], each.is_folder) for each in found] == expected
            deep = ["/".join(path) for path in kept if path[: len(folder)] == folder]
            assert [each.path for each in rows.files_below(tx, "/".join(folder))] == sorted(deep)
    engine.dispose()


def test_a_list_does_not_read_what_lies_deeper(tmp_path) -> None:
    engine = create_engine("sqlite://")
    tables.files.create(engine)
    given = [f"{top}/{n:05}" for top in ("a", "b") for n in range(5_000)] + ["c"]
    with engine.begin() as tx:
        tx.execute(
            insert(tables.files),
            [{"path": path, "digest": "", "size": 1, "modified_at": 0} for path in given],
        )
        asked = []
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert [each.path for each in rows.list_folder(tx, "")] == ["a", "b", "c"]
        assert len(asked) == 3
        assert len(rows.list_folder(tx, "a")) == 5_000
    engine.dispose()


def test_a_file_and_a_folder_cannot_have_one_name(artifacts, file) -> None:
    artifacts.put_bytes("a/b", b"1")
    for path, says in (
        ("a/b/c", "'a/b' is a file"),
        ("a/b/c/d", "'a/b' is a file"),
        ("a", "a folder with files"),
    ):
        with pytest.raises(Conflict, match=says):
            artifacts.put_bytes(path, b"2")
        with pytest.raises(Conflict):
            artifacts.uploads.begin(path, 1)
    with pytest.raises(BadRequest):
        artifacts.put_bytes("", b"2")
    with pytest.raises(BadRequest, match="refers to a directory"):
        artifacts.find("a")
    assert artifacts.find("a/b").size == 1


def test_what_is_not_there(artifacts, tmp_path) -> None:
    for ask in (artifacts.find, artifacts.open, lambda path: artifacts.fetch_folder(path, tmp_path / "t")):
        with pytest.raises(NotFound, match="'0/x'"):
            ask("0/x")
    assert artifacts.delete("0/x") == 0


def test_deleting_a_file_a_folder_and_never_everything(artifacts, tracking) -> None:
    for path in ("r/a", "r/d/1", "r/d/2", "r/d2", "r2/a"):
        artifacts.put_bytes(path, b"x")
    assert artifacts.delete("r/a") == 1
    assert artifacts.delete("r/d/") == 2
    assert [each.path for each in artifacts.list("r")] == ["r/d2"]
    with pytest.raises(BadRequest):
        artifacts.delete("")
    with pytest.raises(BadRequest):
        artifacts.delete("./")
    assert artifacts.find("r2/a").size == 1


def test_a_folder_is_restored_whole(artifacts, tmp_path) -> None:
    given = {"MLmodel": b"m", "data/x.bin": bytes(300_000), "data/deep/ü": b""}
    for name, data in given.items():
        artifacts.put_bytes(f"0/r/artifacts/model/{name}", data)
    target = artifacts.fetch_folder("0/r/artifacts/model", tmp_path / "deep" / "target")
    assert lying(target) == given
    (tmp_path / "empty").mkdir()
    assert lying(artifacts.fetch_folder("0/r/artifacts/model", tmp_path / "empty")) == given
    one = artifacts.fetch_folder("0/r/artifacts/model/data/x.bin", tmp_path / "one")
    assert list(lying(one)) == ["x.bin"]
    with pytest.raises(Conflict):
        artifacts.fetch_folder("0/r/artifacts/model", target)
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(Conflict):
        artifacts.fetch_folder("0/r/artifacts/model", tmp_path / "link")


def test_a_damaged_file_is_not_restored(artifacts, tmp_path) -> None:
    artifacts.put_bytes("m/good", b"good")
    bad = artifacts.put_bytes("m/sound", b"sound")
    blob(tmp_path, bad.digest).write_bytes(b"rotte")
    with pytest.raises(ArtifactCorrupt):
        artifacts.fetch_folder("m", tmp_path / "target")
    assert not [each for each in tmp_path.iterdir() if "target" in each.name]


@pytest.mark.parametrize("path", ["m/../../out", "m/C:/x", "m/a\\..\\b", "m/a/./b"])
def test_a_row_that_would_leave_the_folder_is_not_restored(artifacts, tracking, tmp_path, path) -> None:
    digest = artifacts.put_bytes("m/good", b"x").digest
    with tracking.book.write() as tx:
        tx.execute(insert(tables.files).values(path=path, digest=digest, size=1, modified_at=0))
    with pytest.raises(ArtifactCorrupt, match="out of the folder"):
        artifacts.fetch_folder("m", tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "out").exists()


def test_places_of_runs(artifacts, tracking) -> None:
    with tracking.book.write() as tx:
        experiment = int(create_experiment(tx, "e", at=tracking.book.clock.now()))
        add_run(tx, RunId(RUN), experiment=experiment, name="n", started_ms=0, actor="a", values={})
    root, path = artifacts.place_of_run(RUN, "model/MLmodel")
    assert root == f"mlflow-artifacts:/{experiment}/{RUN}/artifacts"
    assert path == f"{experiment}/{RUN}/artifacts/model/MLmodel"
    with pytest.raises(BadRequest):
        artifacts.place_of_run(RUN, "../../other/artifacts/secret")
    with pytest.raises(NotFound):
        artifacts.place_of_run("b" * 32)
    with pytest.raises(NotFound):
        artifacts.place_of_logged_model("m-nobody")


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("mlflow-artifacts:/0/r/artifacts", "0/r/artifacts"),
        ("mlflow-artifacts://host:5000/0/r", "0/r"),
        ("http://host/api/2.0/mlflow-artifacts/artifacts/0/r", "0/r"),
        ("s3://bucket/0/r", None),
        ("/tmp/mlruns/0", None),
        ("file:///tmp", None),
        ("https://host/elsewhere", None),
    ],
)
def test_roots_of_ours_and_of_others(root, path) -> None:
    if path is None:
        with pytest.raises(Unsupported, match="kept where this server does not go"):
            rows.path_of_root(root)
    else:
        assert rows.path_of_root(root) == path


# uploads in parts


def part(artifacts, upload, number, data: bytes):
    place = artifacts.uploads.receive()
    place.write_bytes(data)
    found = artifacts.uploads.put_part(upload.id, number, place)
    return number, found.digest


def test_parts_become_one_file_in_their_order(artifacts, tmp_path) -> None:
    upload = artifacts.uploads.begin("r/big", 3)
    claimed = [
        part(artifacts, upload, n, data) for n, data in ((3, b"c"), (1, b"wrong"), (2, b""), (1, b"aaa"))
    ]
    done = artifacts.uploads.complete(upload.id, "r/big", [claimed[3], claimed[2], claimed[0]])
    with artifacts.open("r/big") as file:
        assert file.read() == b"aaac"
    # A client that did not hear the answer asks again.
    assert artifacts.uploads.complete(upload.id, "r/big", []) == done
    assert lying(tmp_path / "state" / "uploads") == {}


def test_parts_that_do_not_fit(artifacts) -> None:
    upload = artifacts.uploads.begin("r/big", 2)
    one = part(artifacts, upload, 1, b"a")
    with pytest.raises(BadRequest, match="part 2 of 2 has not arrived"):
        artifacts.uploads.complete(upload.id, "r/big", [one])
    two = part(artifacts, upload, 2, b"b")
    for claimed, says in (
        ([one], "1 of 2"),
        ([one, (2, one[1])], "part 2 is not"),
        ([one, two, (3, "x")], "part 3"),
    ):
        with pytest.raises(BadRequest, match=says):
            artifacts.uploads.complete(upload.id, "r/big", claimed)
    with pytest.raises(BadRequest, match="another path"):
        artifacts.uploads.complete(upload.id, "r/other", [one, two])
    for number in (0, 3, -1):
        with pytest.raises(BadRequest, match="is awaited"):
            part(artifacts, upload, number, b"x")
    for parts in (0, -1, 10_001):
        with pytest.raises(BadRequest, match="between 1 and 10,000"):
            artifacts.uploads.begin("r/x", parts)
    assert artifacts.list("r") == ()
    assert artifacts.uploads.complete(upload.id, "r/big", [two, one]).size == 2
    with pytest.raises(BadRequest, match="is awaited"):
        part(artifacts, upload, 1, b"late")


def test_an_aborted_upload_leaves_nothing(artifacts, tmp_path) -> None:
    upload = artifacts.uploads.begin("r/big", 2)
    part(artifacts, upload, 1, b"a")
    assert artifacts.uploads.abort(upload.id)
    assert not artifacts.uploads.abort(upload.id)
    with pytest.raises(NotFound):
        part(artifacts, upload, 2, b"b")
    with pytest.raises(NotFound):
        artifacts.uploads.complete(upload.id, "r/big", [])
    place = tmp_path / "state" / "uploads"
    assert [name for name in lying(place) if name.startswith("parts/")] == []


def test_what_died_is_cleared(artifacts, tracking, tmp_path) -> None:
    upload = artifacts.uploads.begin("r/big", 2)
    part(artifacts, upload, 1, b"a")
    folder = tmp_path / "state" / "uploads"
    mine = artifacts.uploads.receive()
    host, pid, own = mine.name.rsplit(".", 2)
    assert int(pid) == os.getpid()
    at_work = [f"{host}.{pid}.{own}", f"{host}.{os.getppid()}.{own}", f"elsewhere.{2**22 + 1}.{own}"]
    died = [f"{host}.{2**22 + 1}.{own}", f"{host}.{pid}.00000000-{own}"]
    for name in (*at_work, *died):
        (folder / name).write_bytes(b"half")
    assert artifacts.uploads.clear() == 2  # of a process which is no more, and of one that had this one's id
    assert sorted(lying(folder)) == sorted([*at_work, f"parts/{upload.id}/1"])
    os.utime(folder / at_work[2], (0, 0))
    tracking.book.clock.advance_to(tracking.book.clock.now() + timedelta(days=1, seconds=1))
    young = artifacts.uploads.begin("r/young", 1)
    assert artifacts.uploads.clear() == 2
    assert sorted(lying(folder)) == sorted(at_work[:2])
    assert part(artifacts, young, 1, b"x")


# collecting


def blob(tmp_path: Path, digest: Digest) -> Path:
    return tmp_path / "artifacts" / digest[7:9] / digest[9:]


@pytest.fixture
def aged(tracking, tmp_path):
    def age(digest: Digest, days: float) -> Digest:
        then = (tracking.book.clock.now() - timedelta(days=days)).timestamp()
        os.utime(blob(tmp_path, digest), (then, then))
        return digest

    return age


def test_what_nothing_names_is_collected(artifacts, tracking, tmp_path, aged) -> None:
    store = tracking.book.artifacts
    gone = aged(store.put_bytes(b"nobody"), 40)
    young = aged(store.put_bytes(b"just stored"), 20)
    kept = aged(artifacts.put_bytes("r/kept", b"kept").digest, 40)
    deleted = aged(artifacts.put_bytes("r/deleted", b"deleted!").digest, 40)
    artifacts.delete("r/deleted")
    would = artifacts.collect(older_than=timedelta(days=30), dry=True)
    assert (would.blobs, would.size, would.kept, would.dry) == (2, 14, 1, True)
    assert all(map(store.exists, (gone, young, kept, deleted)))
    did = artifacts.collect(older_than=timedelta(days=30))
    assert (did.blobs, did.size, did.kept) == (2, 14, 1)
    assert [store.exists(each) for each in (gone, deleted, young, kept)] == [False, False, True, True]
    assert artifacts.collect(older_than=timedelta(days=30)).blobs == 0


def test_a_folder_that_is_named_keeps_its_files(artifacts, tracking, tmp_path, aged) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"w")
    store = tracking.book.artifacts
    folder = aged(store.put_folder(tmp_path / "model"), 40)
    weights = aged(store.put_bytes(b"w"), 40)
    with tracking.book.write() as tx:
        save_checkpoint(
            tx, "k", step="train", kind="model", digest=folder, run=RunId(RUN), at=tracking.book.clock.now()
        )
    assert artifacts.collect(older_than=timedelta(days=30)).blobs == 0
    assert store.exists(weights)
    blob(tmp_path, folder).write_bytes(blob(tmp_path, folder).read_bytes()[:-1] + b"!")
    aged(folder, 40)
    with pytest.raises(ArtifactCorrupt):
        artifacts.collect(older_than=timedelta(days=30))
    assert store.exists(weights)


def test_the_account_of_what_was_does_not_keep_it(artifacts, tracking, aged) -> None:
    gone = aged(tracking.book.artifacts.put_bytes(b"was"), 40)
    with tracking.book.write() as tx:
        tracking.book.audit(tx, "models.delete", "m/1", digest=gone)
    assert artifacts.collect(older_than=timedelta(days=30)).blobs == 1


def test_the_last_day_is_never_collected(artifacts) -> None:
    with pytest.raises(UsageError, match="last day"):
        artifacts.collect(older_than=timedelta(hours=23))


def test_a_store_that_cannot_be_written_takes_nothing(artifacts, tracking, tmp_path, file) -> None:
    (tmp_path / "artifacts").touch()
    with pytest.raises(StorageError):
        artifacts.put("r/x", file(b"x"), consume=True)
    assert artifacts.list("r") == ()
    assert (tmp_path / "file").exists()


def test_a_row_keeps_its_instant(artifacts, tracking) -> None:
    put = artifacts.put_bytes("r/x", b"x")
    with tracking.book.read() as tx:
        found = rows.find_file(tx, "r/x")
    assert found == ArtifactFile(path="r/x", size=1, digest=put.digest, modified=put.modified)
    assert to_micros(put.modified) == to_micros(tracking.book.clock.now())
