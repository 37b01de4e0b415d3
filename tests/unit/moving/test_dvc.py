"""Projects of DVC: what its files say, its cache, and experiments that git keeps."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.dvc.git import Objects, experiments, git_program
from mlwright.adapters.moving.dvc.opening import open_dvc
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.errors import DataError, ServerUnavailable
from mlwright.testing.fakes.foreign_files import write_dvc

HELLO = "5d41402abc4b2a76b9719d911017c592"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="the git program reads the experiments")


def write(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return place


def cached(place: Path, md5: str, data: bytes, top: str = ".dvc/cache/files/md5") -> None:
    file = place / top / md5[:2] / md5[2:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def files(store, run: str = "workspace") -> dict[str, bytes]:
    met = {}
    for file in store.files(run):
        with store.open(run, file.path) as stream:
            met[file.path] = stream.read()
    return met


def test_params_and_metrics_of_every_kind(tmp_path: Path) -> None:
    params = "      params.yaml:\n        net.depth: 3\n      p.toml:\n        lr: 0.1\n"
    lock = f"stages:\n  fit:\n    cmd: [a, b]\n    params:\n{params}"
    write(
        tmp_path,
        {
            "dvc.lock": lock,
            "dvc.yaml": "params: [p.toml, p.json, code.py, gone.yaml]\n"
            "metrics: [m.json, sub/m.yaml]\nstages:\n  fit:\n    metrics:\n    - more.toml: {cache: false}\n",
            "params.yaml": "net: {depth: 4}\nseed: 1\n",
            "p.toml": "lr = 0.2\n[opt]\nname = 'sgd'\n",
            "p.json": '{"big": [1, 2], "none": null}',
            "code.py": "raise SystemExit\n",
            "m.json": '{"auc": 0.5, "word": "x", "yes": true, "deep": {"nan": NaN}}',
            "sub/m.yaml": "auc: 0.75\n",
            "more.toml": "f1 = 1\n",
        },
    )
    store = open_dvc(tmp_path)
    (run,) = store.runs()
    assert run.params == {
        "net.depth": "3",
        "params.yaml:net.depth": "4",
        "lr": "0.1",
        "p.toml:lr": "0.2",
        "opt.name": "sgd",
        "seed": "1",
        "big": "[1, 2]",
        "none": "None",
    }
    assert run.tags == {"stage.fit": '["a", "b"]'}
    points = {each.key: each.values.tolist() for each in store.histories(run.id)}
    assert str(points) == "{'auc': [0.5], 'deep.nan': [nan], 'f1': [1.0], 'sub/m.yaml:auc': [0.75]}"
    assert {note.what for note in store.left_out()} == {"code.py", "word in m.json", "yes in m.json"}


def test_series_of_dvclive(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "dvclive/metrics.json": '{"train": {"loss": 0.1}, "best": 7, "step": 3}',
            "dvclive/params.yaml": "lr: 0.1\n",
            "dvclive/plots/metrics/train/loss.tsv": "step\tloss\n0\t1.0\n1\tnan\nbad\n2\t0.1\n",
            "dvclive/plots/images/a.png": "picture",
        },
    )
    store = open_dvc(tmp_path)
    (run,) = store.runs()
    assert run.params == {"lr": "0.1"}
    points = {each.key: (each.steps.tolist(), each.values.tolist()) for each in store.histories(run.id)}
    assert str(points["train/loss"]) == "([0, 1, 2], [1.0, nan, 0.1])"
    assert points["best"] == ([3], [7.0])
    assert set(files(store)) == {"dvclive/metrics.json", "dvclive/params.yaml", "dvclive/plots/images/a.png"}
    assert [note.what for note in store.left_out()] == ["line 4 of dvclive/plots/metrics/train/loss.tsv"]


def test_outputs_come_out_of_the_cache(tmp_path: Path) -> None:
    folder = "0123456789abcdef0123456789abcdef.dir"
    listing = [
        {"md5": HELLO, "relpath": "in/a.txt"},
        {"md5": HELLO, "relpath": "../../../up.txt"},
        {"md5": "f" * 32, "relpath": "gone"},
        {"md5": "../../../../etc/hosts", "relpath": "hosts"},
        "junk",
    ]
    cached(tmp_path, HELLO, b"hello", ".dvc/cache")
    cached(tmp_path, folder, json.dumps(listing).encode())
    outs = [
        ("new.bin", HELLO),
        ("data", folder),
        ("/etc/hosts", HELLO),
        ("../out", HELLO),
        ("lost", "e" * 32),
    ]
    lock = "".join(f"    - {{path: {path}, md5: {md5}}}\n" for path, md5 in outs)
    write(
        tmp_path, {"dvc.lock": f"stages:\n  fit:\n    outs:\n{lock}", "m.txt.dvc": "outs:\n- path: m.txt\n"}
    )
    (tmp_path / "m.txt").write_text("model")
    store = open_dvc(tmp_path)
    met = files(store)
    assert met.pop("dvc.lock")
    assert met == {"new.bin": b"hello", "data/in/a.txt": b"hello", "data/up.txt": b"hello", "m.txt": b"model"}
    assert {note.what for note in store.left_out()} == {
        "output data/gone",
        "output data/hosts",
        "output lost",
    }


def test_a_folder_without_dvc_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"readme.md": "hello"})
    with pytest.raises(ServerUnavailable, match="DVC project"):
        open_dvc(tmp_path).about()
    with pytest.raises(ServerUnavailable):
        open_dvc(tmp_path / "readme.md").about()


def test_hostile_yaml_is_noted(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "params.yaml": "depth: 3\n",
            "a/dvc.lock": "stages: &a {fit: {params: {p: *a}}}\n",
            "b/dvc.lock": "[" * 50_000,
            "c/dvc.lock": "stages: [!!python/object/apply:os.system ['touch made']]",
            "d/dvc.lock": "stages: {fit: {params: [1], outs: {a: 1}, cmd: 3}}",
        },
    )
    (tmp_path / "e").mkdir()
    (tmp_path / "e/dvc.lock").write_bytes(b"\xff\xfe\x00broken")
    store = open_dvc(tmp_path)
    (run,) = store.runs()
    assert run.params == {"depth": "3"}
    noted = {note.what for note in store.left_out()}
    assert {"b/dvc.lock", "c/dvc.lock", "e/dvc.lock"} <= noted
    assert not (tmp_path / "made").exists()


class Repository:
    """A DVC project in git with one experiment, which is what the folder holds."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        write_dvc(place)
        self.git("init", "-q", ".")
        self.git("add", "dvc.lock", "params.yaml", "dvclive")
        self.head = self.commit("first")

    def git(self, *words: str) -> str:
        settings = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *settings, *words], cwd=self.place, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, said: str) -> str:
        self.git("commit", "-q", "-m", said)
        head = self.git("rev-parse", "HEAD")
        self.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{said}", head)
        return head


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


@needs_git
def test_experiments_are_read_from_git(repository: Repository) -> None:
    (repository.place / "params.yaml").write_text("depth: 5\n")
    repository.git("add", "params.yaml")
    second = repository.commit("second")
    repository.git("pack-refs", "--all")
    repository.git("gc", "-q")
    store = open_dvc(repository.place)
    runs = {run.name: run for run in store.runs()}
    assert set(runs) == {"first", "second"}
    assert runs["second"].id == f"{second}/second"
    assert (runs["first"].params["depth"], runs["second"].params["depth"]) == ("3", "5")
    assert runs["first"].tags["mlflow.source.git.commit"] == repository.head
    assert [note.what for note in store.left_out()] == ["the working folder"]
    assert files(store, runs["first"].id)["model.bin"] == b"hello"
    keys = [each.key for each in store.histories(runs["first"].id)]
    assert keys == ["best", "loss", "step"]


@needs_git
def test_the_folder_is_a_run_once_it_differs(repository: Repository) -> None:
    (repository.place / "params.yaml").write_text("depth: 9\n")
    runs = {run.name: run.params["depth"] for run in open_dvc(repository.place).runs()}
    assert runs == {"first": "3", "workspace": "9"}


@needs_git
def test_no_setting_of_the_repository_is_obeyed(repository: Repository, tmp_path: Path) -> None:
    made = tmp_path / "made"
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {made}\n")
    program.chmod(0o755)
    git = repository.place / ".git"
    with (git / "config").open("a", encoding="utf-8") as config:
        config.write(
            f"[core]\n\tfsmonitor = {program}\n\tsshCommand = {program}\n\tpager = {program}\n\n"
            f'[remote "origin"]\n\turl = ext::{program}\n\tpromisor = true\n[protocol "ext"]\n\tallow = always\n'
            f'[extensions]\n\tpartialClone = origin\n[alias]\n\tx = !{program}\n[filter "x"]\n\tsmudge = {program}\n'
        )
    (repository.place / ".gitattributes").write_text("* filter=x\n")
    missing = git / "refs/exps/aa" / ("b" * 38)
    missing.mkdir(parents=True)
    (missing / "gone").write_text("c" * 40 + "\n")
    store = open_dvc(repository.place)
    assert [run.name for run in store.runs()] == ["first"]
    assert [note.why for note in store.left_out() if "gone" in note.where] == [
        "git has no object " + "c" * 12
    ]
    assert not made.exists()


@needs_git
def test_damaged_objects_are_noted(repository: Repository) -> None:
    objects = repository.place / ".git/objects"
    tree = repository.git("rev-parse", "HEAD^{tree}")
    file = objects / tree[:2] / tree[2:]
    os.chmod(file, 0o644)
    file.write_bytes(b"no zlib")
    (repository.place / "params.yaml").write_text("depth: 9\n")
    store = open_dvc(repository.place)
    assert [run.name for run in store.runs()] == ["workspace"]
    assert store.left_out()[0].where.endswith("/first")


@needs_git
def test_an_object_that_is_too_large_is_refused_and_the_next_is_read(repository: Repository) -> None:
    program = git_program()
    assert program is not None
    objects = Objects(program, Confined(repository.place / ".git", Notes()))
    blob = repository.git("rev-parse", "HEAD:dvc.lock")
    with pytest.raises(Unreadable, match="larger than 0 KiB"):
        objects.read(blob, "blob", 10)
    with pytest.raises(Unreadable, match="is no commit"):
        objects.read(blob, "commit", 10_000)
    assert b"stages" in objects.read(blob, "blob", 10_000)
    objects.close()


@needs_git
def test_names_of_experiments_that_are_none_are_passed_over(repository: Repository) -> None:
    lines = f"{'d' * 40} refs/exps/zz/x\n{'d' * 39} refs/exps/aa/{'b' * 38}/short\nnonsense\n"
    (repository.place / ".git/packed-refs").write_text(lines)
    met = experiments(Confined(repository.place / ".git", Notes()), Notes())
    assert [each.name for each in met] == ["first"]


def test_objects_behind_a_link_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    git = tmp_path / ".git"
    git.mkdir()
    (git / "objects").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreadable, match="elsewhere"):
        Objects("git", Confined(git, Notes())).read("a" * 40, "blob", 10)


def test_a_file_that_is_not_listed_is_an_error(tmp_path: Path) -> None:
    write_dvc(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        open_dvc(tmp_path).open("workspace", "params.yaml")
