"""What a run runs on: git state, lock files and packages of real folders."""

import dataclasses
import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import version

import pytest

from mlwright.model.ids import Digest
from mlwright.stages.tracking.environment import capture_environment, lock_digest

CODE = Digest("blake3:00")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


@needs_git
def test_a_clean_repository_has_commit_and_branch(repository):
    head = (repository / ".git/refs/heads/trunk").read_text().strip()
    found = capture_environment(repository, 7, CODE)
    assert (found.git_commit, found.git_branch, found.git_dirty) == (head, "trunk", False)
    assert (found.seed, found.code_digest, found.python) == (7, CODE, platform.python_version())


@needs_git
def test_a_change_makes_it_dirty_and_our_own_state_does_not(repository):
    (repository / ".mlwright").mkdir()
    (repository / ".mlwright" / "mlwright.db").write_text("x")
    assert capture_environment(repository, 0, CODE).git_dirty is False
    (repository / "train.py").write_text("x = 2\n")
    assert capture_environment(repository, 0, CODE).git_dirty is True


@needs_git
def test_a_detached_head_has_no_branch(repository):
    git(repository, "checkout", "-q", "--detach")
    found = capture_environment(repository, 0, CODE)
    assert found.git_branch is None
    assert found.git_commit is not None


@needs_git
def test_a_repository_without_commits_has_a_branch_and_no_commit(tmp_path):
    git(tmp_path, "init", "-q", "-b", "trunk")
    found = capture_environment(tmp_path, 0, CODE)
    assert (found.git_commit, found.git_branch, found.git_dirty) == (None, "trunk", False)


@pytest.mark.parametrize("without", ["repository", "git", "folder"])
def test_what_git_cannot_say_is_none(tmp_path, monkeypatch, without):
    if without == "git":
        monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = capture_environment(tmp_path / "no" if without == "folder" else tmp_path, 0, CODE)
    assert (found.git_commit, found.git_branch, found.git_dirty, found.lock_digest) == (None,) * 4


def test_packages_are_those_installed_under_normal_names(tmp_path):
    packages = capture_environment(tmp_path, 0, CODE).packages
    assert packages["numpy"] == version("numpy")
    assert packages["scikit-learn"] == version("scikit-learn")
    assert list(packages) == sorted(packages)
    assert all(name == name.lower() and "_" not in name for name in packages)


def test_environment_variables_are_not_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2")
    recorded = json.dumps(dataclasses.asdict(capture_environment(tmp_path, 0, CODE)))
    assert "hunter2" not in recorded
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in recorded


def test_the_lock_digest_covers_names_and_contents(tmp_path):
    assert lock_digest(tmp_path) is None
    (tmp_path / "requirements.txt").write_text("numpy==2.4.0\n")
    one = lock_digest(tmp_path)
    assert one.startswith("blake3:")
    assert len(one) == len("blake3:") + 64
    (tmp_path / "requirements-dev.txt").write_text("")
    two = lock_digest(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy==2.4.1\n")
    three = lock_digest(tmp_path)
    (tmp_path / "requirements-dev.txt").rename(tmp_path / "requirements-test.txt")
    four = lock_digest(tmp_path)
    (tmp_path / "train.py").write_text("not a lock file")
    assert lock_digest(tmp_path) == four
    assert len({one, two, three, four}) == 4
