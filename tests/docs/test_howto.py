"""The how-to pages, done as they say."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlwright.engineer.fixes.catalogue import all_fixes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


# What the branch of the page on gates adds to score.py.
CHANGE = """\
weights = yaml.load(open("weights.yaml"), Loader=yaml.Loader)
print("weights", weights)
"""


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


@pytest.fixture
def corpus(reader, repository):
    """Copies a repository of the corpus to where the reader is."""

    def copy(case: str, name: str) -> Path:
        source = repository / "tests/engineer/corpus" / case / "repo"
        return Path(shutil.copytree(source, reader.folder / name))

    return copy


def test_assess_a_repository(reader, blocks, corpus) -> None:
    corpus("credit-everything-wrong", "credit")
    experiment = reader.folder / "mlruns" / "0"
    experiment.mkdir(parents=True)
    (experiment / "meta.yaml").write_text(
        "experiment_id: '0'\nname: Default\nartifact_location: ''\nlifecycle_stage: active\n",
        encoding="utf-8",
    )
    assert reader.play(blocks("docs/how-to/assess-a-repository.md")) >= 8
    assert (reader.folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert '"readiness"' in (reader.folder / "report.json").read_text(encoding="utf-8")


def test_the_page_names_every_fix(repository) -> None:
    page = (repository / "docs/how-to/assess-a-repository.md").read_text(encoding="utf-8")
    assert [fix.id for fix in all_fixes() if f"`{fix.id}`" not in page] == []
    assert "Eight fixes" in page
    assert len(all_fixes()) == 8


def test_gate_a_pull_request(reader, blocks, corpus) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        reader.environment |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
    folder = corpus("credit-everything-wrong", "credit")
    reader.type("cd credit")
    reader.type("git init -q -b main . && git add . && git commit -q -m start && git switch -q -c weights")
    with (folder / "score.py").open("a", encoding="utf-8") as file:
        file.write(CHANGE)
    reader.type("git commit -q -a -m weights")
    assert reader.play(blocks("docs/how-to/gate-a-pull-request.md")) >= 6


def test_review_deployment_files(reader, blocks, corpus) -> None:
    corpus("k8s-careless", "matcher")
    images = corpus("flask-docker-root", "images")
    assert reader.play(blocks("docs/how-to/review-deployment-files.md")) >= 4
    assert "USER" in (images / "Dockerfile").read_text(encoding="utf-8")


def test_ask_the_engineer(reader, blocks, corpus) -> None:
    corpus("credit-everything-wrong", "credit")
    assert reader.play(blocks("docs/how-to/ask-the-engineer.md")) >= 5


def test_connect_a_coding_agent(reader, blocks, corpus) -> None:
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    folder = corpus("credit-everything-wrong", "credit")
    assert reader.play(blocks("docs/how-to/connect-a-coding-agent.md")) >= 7
    assert "--allow-writes" not in (folder / ".mcp.json").read_text(encoding="utf-8")


def test_add_a_probe(reader, player, blocks, corpus, tmp_path) -> None:
    """The package is installed by hand, as an installer would without the network: files, and what it offers."""
    corpus("flask-docker-root", "service")
    page = blocks("docs/how-to/add-a-probe.md")
    [toml] = [each for each in page if each.language == "toml"]
    offered = tomllib.loads(toml.text)["project"]
    about = reader.folder / f"{offered['name'].replace('-', '_')}-{offered['version']}.dist-info"
    about.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {offered['name']}\nVersion: {offered['version']}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in offered["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(points), encoding="utf-8")
    reader.environment["PYTHONPATH"] = os.pathsep.join([str(player.SRC), str(reader.folder)])
    assert reader.play(page) == 3


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
