"""The how-to pages, done as they say."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mlwright.engineer.fixes.catalogue import all_fixes
from mlwright.testing.fakes.foreign_files import write_dvc, write_tensorboard, write_wandb

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


@pytest.fixture(scope="session")
def made(player, tmp_path_factory):
    """Makes a project by some commands once a process, and copies it to a reader: most pages begin with the same."""
    folders: dict[tuple[str, ...], Path] = {}
    ports: dict[tuple[str, ...], list[int]] = {}

    def make(reader, name: str, *commands: str, more: str = "", page: Sequence[object] = ()) -> None:
        """``page``: blocks that are played after the commands."""
        key = (name, more, *commands, *(each.id for each in page))
        if page and key not in folders:
            somebody = player.Player(tmp_path_factory.mktemp(name))
            make(somebody, name, *commands, more=more)
            somebody.play(page)
            folders[key], ports[key] = somebody.folder, somebody.ports
        elif key not in folders:
            somebody = player.Player(tmp_path_factory.mktemp(name))
            for line in (f"mlwright init {name}", f"cd {name}"):
                somebody.type(line)
            if more:
                settings(somebody.folder, more)
            for line in commands:
                somebody.type(line)
            folders[key], ports[key] = somebody.folder, somebody.ports
        shutil.copytree(folders[key], reader.folder / name)
        reader.ports = list(ports[key])  # its settings name them already
        reader.type(f"cd {name}")

    return make


@pytest.fixture
def trained(reader, made):
    """In a project with a model behind its endpoint."""
    made(
        reader,
        "churn",
        *(f"mlwright {line}" for line in ("features", "run train_churn", "deploy churn churn/1")),
    )
    return reader


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
def with_curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on PATH")


@pytest.mark.usefixtures("with_curl")
def test_track_with_mlflow_clients(reader, blocks) -> None:
    assert reader.play(blocks("docs/how-to/track-with-mlflow-clients.md")) >= 3


@pytest.mark.usefixtures("with_curl")
def test_receive_webhooks(reader, blocks) -> None:
    assert reader.play(blocks("docs/how-to/receive-webhooks.md")) >= 3
    assert len((reader.folder / "heard.jsonl").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.usefixtures("with_curl")
def test_log_to_another_server(project, blocks) -> None:
    project.type("mlwright features")
    assert project.play(blocks("docs/how-to/log-to-another-server.md")) >= 6


REGISTERED = ("mlwright features", "mlwright run train_churn -p end=2025-11-01")
FILES = '[registry]\nprove = "files"\n'


@pytest.fixture
def registered(reader, made):
    """In a project with a model version that nobody has deployed, which proves without a network."""
    made(reader, "churn", *REGISTERED, more=FILES)
    return reader


def settings(folder: Path, more: str) -> None:
    """Add tables to a project's settings; ``[registry]`` may be there already."""
    file = folder / "mlwright.toml"
    text = file.read_text(encoding="utf-8")
    head = "[registry]\n"
    if more.startswith(head) and head in text:
        text = text.replace(head, more, 1)
    else:
        text += f"\n{more}"
    file.write_text(text, encoding="utf-8")


def test_prove_a_model(registered, blocks) -> None:
    pytest.importorskip("model_signing", reason="the extra sign is not installed")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH")
    registered.type("mlwright run train_churn -p end=2025-12-01")
    page = blocks("docs/how-to/prove-a-model.md")
    place = next(number for number, each in enumerate(page) if "verify_key" in each.text)
    assert registered.play(page[:place]) >= 4
    settings(registered.folder, page[place].text[page[place].text.index("[registry]") :])
    assert registered.play(page[place + 1 :]) == 2


def test_promote_with_a_policy(registered, blocks) -> None:
    page = blocks("docs/how-to/promote-with-a-policy.md")
    [policy] = [each for each in page if each.language == "toml"]
    settings(registered.folder, policy.text[policy.text.index("[[promotion]]") :])
    assert registered.play(page) >= 11
    assert "TODO(owner)" in (registered.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert '"CycloneDX"' in (registered.folder / "bom.json").read_text(encoding="utf-8")


def test_serve_a_function(project, blocks) -> None:
    assert project.play(blocks("docs/how-to/serve-a-function.md")) == 2


def test_score_files(trained, blocks) -> None:
    assert trained.play(blocks("docs/how-to/score-files.md")) == 6


def test_score_a_stream(trained, blocks) -> None:
    assert trained.play(blocks("docs/how-to/score-a-stream.md")) == 6


def test_make_a_model_faster(trained, blocks) -> None:
    for library in ("onnxruntime", "skl2onnx", "onnxmltools"):
        pytest.importorskip(library, reason="the extra optimize is not installed")
    assert trained.play(blocks("docs/how-to/make-a-model-faster.md")) == 2


def test_build_an_image(reader, blocks) -> None:
    assert reader.play(blocks("docs/how-to/build-an-image.md")) == 3


def test_profile_an_endpoint(trained, blocks) -> None:
    assert trained.play(blocks("docs/how-to/profile-an-endpoint.md")) == 1


@pytest.mark.usefixtures("with_curl")
@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("serve-a-model-to-any-client", 13),
        ("keep-an-endpoint-up-under-load", 11),
        ("change-a-model-without-dropping", 12),
        ("send-the-truth", 11),
    ],
)
def test_serving(reader, blocks, name, commands) -> None:
    assert reader.play(blocks(f"docs/how-to/{name}.md")) >= commands


WHY = "docs/how-to/find-out-why-quality-fell.md"


def story(page: Sequence[object]) -> slice:
    """Where the page on diagnosis gives an endpoint two months of answers, with a fault, and their labels."""
    start = next(at for at, each in enumerate(page) if each.notes.get("write") == "past.py")
    return slice(start, start + 3)


@pytest.fixture
def asked(reader, made, blocks):
    """In a project whose endpoint answered for two months, and was asked wrongly from the first of them on."""
    page = blocks(WHY)
    made(reader, "churn", *REGISTERED, "mlwright deploy churn churn/1", more=FILES, page=page[story(page)])
    return reader


def instead(folder: Path, block, *keys: str) -> None:
    """Put what a page's settings say from their first table of the endpoint on into a project, in place of its own."""
    file = folder / "mlwright.toml"
    kept = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if not any(line.startswith(f"{key} = ") for key in keys)
    ]
    text = block.text[block.text.index("[endpoint.") :]
    file.write_text("\n".join([*kept, "", text]), encoding="utf-8")


def test_find_out_why_quality_fell(reader, player, made, blocks) -> None:
    page = blocks(WHY)
    part = story(page)
    home = reader.folder
    assert reader.play(page[: part.start]) == 2
    assert (home / "why.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    made(reader, "churn", *REGISTERED, "mlwright deploy churn churn/1", more=FILES, page=page[part])
    assert reader.play(page[part.stop :]) == 1


def test_watch_an_endpoint(asked, blocks) -> None:
    page = blocks("docs/how-to/watch-an-endpoint.md")
    [toml] = [each for each in page if each.language == "toml"]
    instead(asked.folder, toml, "monitor")
    assert asked.play(page) == 4
    assert "plan=pro" in (asked.folder / "quality.csv").read_text(encoding="utf-8")


def test_be_told_of_what_matters(asked, blocks) -> None:
    page = blocks("docs/how-to/be-told-of-what-matters.md")
    assert asked.play(page) >= 5


def test_keep_a_promise(asked, blocks) -> None:
    page = blocks("docs/how-to/keep-a-promise.md")
    [toml] = [each for each in page if each.language == "toml"]
    instead(asked.folder, toml, "slo", "monitor")
    assert asked.play(page) == 3
    assert (asked.folder / "monitoring/mlwright.rules.yml").is_file()


def test_retrain_for_a_reason(asked, blocks) -> None:
    page = blocks("docs/how-to/retrain-for-a-reason.md")
    [toml] = [each for each in page if each.language == "toml"]
    instead(asked.folder, toml, "retrain", "monitor")
    assert asked.play(page) == 3


def mlruns(place: Path) -> None:
    """A small folder as MLflow's file store writes it: one experiment, two runs."""
    experiment = place / "1"
    experiment.mkdir(parents=True)
    (experiment / "meta.yaml").write_text(
        "experiment_id: '1'\nname: churn\nartifact_location: ''\nlifecycle_stage: active\n", encoding="utf-8"
    )
    for number, id in enumerate(("a" * 32, "b" * 32), start=1):
        run = experiment / id
        about = {
            "artifact_uri": f"mlruns/1/{id}/artifacts",
            "experiment_id": "'1'",
            "lifecycle_stage": "active",
            "run_id": id,
            "run_name": f"run-{number}",
            "start_time": str(1767225600000 + number),
            "end_time": str(1767225700000 + number),
            "status": "3",
            "user_id": "ada",
        }
        points = "".join(f"{1767225600000 + step} {1 / (step + 1)} {step}\n" for step in range(3))
        files = {"params/depth": "3", "metrics/loss": points, "tags/mlflow.user": "ada"}
        files["meta.yaml"] = "".join(f"{key}: {value}\n" for key, value in about.items())
        files |= {"artifacts/note.txt": "hello"} if number == 1 else {}
        for path, text in files.items():
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            (run / path).write_text(text, encoding="utf-8")


def test_move_to_mlwright(reader, blocks) -> None:
    mlruns(reader.folder / "mlruns")
    write_wandb(reader.folder / "wandb")
    write_tensorboard(reader.folder / "tensorboard-logs")
    write_dvc(reader.folder / "training")
    assert reader.play(blocks("docs/how-to/move-to-mlwright.md")) >= 8
    assert (reader.folder / "back/1" / ("a" * 32) / "metrics/loss").is_file()


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
