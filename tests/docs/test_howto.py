"""The how-to pages, done as they say."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def project(reader):
    """A reader in a project of their own."""
    reader.type("mlwright init churn")
    reader.type("cd churn")
    return reader


@pytest.fixture
def trained(project):
    """With a model behind its endpoint."""
    for line in ("features", "run train_churn", "deploy churn churn/1"):
        project.type(f"mlwright {line}")
    return project


@pytest.mark.parametrize("program", ["sqlite3", "flock"])
def test_programs_of_the_backup_page_are_named_there(blocks, program) -> None:
    text = "".join(block.text for block in blocks("docs/how-to/back-up-and-restore.md"))
    assert f"{program} " in text


def test_back_up_and_restore(trained, blocks) -> None:
    for program in ("sqlite3", "flock"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")
    (trained.folder / ".mlwright/log").mkdir(exist_ok=True)
    assert trained.play(blocks("docs/how-to/back-up-and-restore.md")) >= 8
    for copy in ("backup/cold/.mlwright", "backup/warm", ".mlwright"):
        assert (trained.folder / copy / "mlwright.db").is_file()
    assert "churn/1" in trained.type("mlwright models")


def test_add_a_model_runtime(reader, blocks) -> None:
    assert reader.play(blocks("docs/how-to/add-a-model-runtime.md")) == 1


def test_use_postgresql(project, blocks, postgresql) -> None:
    settings = project.folder / "mlwright.toml"
    [block] = [each for each in blocks("docs/how-to/use-postgresql.md") if each.language == "toml"]
    storage = block.text[block.text.index("[storage]") :]
    settings.write_text(f"{settings.read_text(encoding='utf-8')}\n{storage}", encoding="utf-8")
    project.environment["MLWRIGHT_DATABASE"] = postgresql
    assert "secret" not in project.type("mlwright runs")
    assert project.play(blocks("docs/how-to/use-postgresql.md")) == 1


def _program(name: str) -> str | None:
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: float(path.split("/")[4]))
    return shutil.which(name) or (found[-1] if found else None)


def _somebody() -> dict[str, object]:
    """PostgreSQL refuses to run as root: the arguments that make subprocess become somebody else."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name for each in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@pytest.fixture
def postgresql(player) -> Iterator[str]:
    """The address of a server of our own, thrown away afterwards."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL is installed: ./dev verify installs it")
    somebody = _somebody()
    [port] = player.free_ports(1)
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="mlwright-pg-", ignore_cleanup_errors=True)
        )
        if somebody:
            os.chown(name, somebody["user"], somebody["group"])  # type: ignore[arg-type]
        data, quiet = f"{name}/data", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        make = [initdb, "-D", data, "-U", "mlwright", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        subprocess.run(make, check=True, **quiet, **somebody)
        start = [
            pg_ctl,
            "-D",
            data,
            "-l",
            f"{name}/log",
            "-w",
            "-o",
            f"-p {port} -h 127.0.0.1 -k {name} -F",
            "start",
        ]
        done = subprocess.run(start, **quiet, **somebody)
        assert done.returncode == 0, Path(name, "log").read_text() if Path(name, "log").exists() else start
        stop = [pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"]
        stack.callback(subprocess.run, stop, check=True, **quiet, **somebody)
        yield f"postgresql://mlwright:secret@127.0.0.1:{port}/postgres"
