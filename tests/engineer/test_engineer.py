"""The whole engineer on whole repositories: the same bytes for the same files, and nothing in them is ever run."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

import mlwright as mlwright_package
from mlwright.doors.cli.main import cli
from mlwright.engineer.collect.collect import collect
from mlwright.engineer.standing import take_stock
from mlwright.model.assessment import RepositoryKind
from mlwright.model.findings import Outcome
from mlwright.wiring.engineer import open_engineer

CORPUS = Path(__file__).parent / "corpus"
TRAP = "import pathlib; pathlib.Path({marker!r}).write_text('ran')\n"


@pytest.fixture(scope="module")
def engineer():
    return open_engineer()


def mlwright(*words: str) -> str:
    """What a command prints, whatever its exit code."""
    return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, list(words), prog_name="mlwright").output


@pytest.mark.parametrize("form", [["--json"], ["--html", "-"], ["--sarif", "-"], ["--details"]])
def test_the_same_files_give_the_same_bytes(tmp_path: Path, form, monkeypatch) -> None:
    first = tmp_path / "one" / "churn"
    shutil.copytree(CORPUS / "credit-everything-wrong" / "repo", first)
    second = tmp_path / "two" / "churn"
    for file in sorted(first.rglob("*"), reverse=True):  # another order on disk, other times
        if file.is_file():
            target = second / file.relative_to(first)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    reports = []
    for each in (first, second):
        monkeypatch.chdir(each)
        reports.append(mlwright("assess", ".", *form))
    assert len(reports[0]) > 2000
    assert reports[0] == reports[1]
    assert str(tmp_path) not in reports[0]


def test_nothing_in_a_repository_is_run(tmp_path: Path, engineer) -> None:
    marker = tmp_path / "marker"
    trap = TRAP.format(marker=str(marker))
    root = tmp_path / "trap"
    (root / ".git" / "hooks").mkdir(parents=True)
    for name in (
        "setup.py",
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "json.py",
        "yaml.py",
        "re.py",
    ):
        (root / name).write_text(trap)
    (root / "train.py").write_text("from sklearn.svm import SVC\n" + trap + "SVC().fit([[1]], [1])\n")
    (root / "evil.pth").write_text(trap)
    (root / "evil.pkl").write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / ".git" / "config").write_text(
        f'[core]\n\trepositoryformatversion = 0\n\tfsmonitor = "touch {marker}"\n\tsshCommand = "touch {marker}"\n'
        f'[filter "x"]\n\tclean = "touch {marker}"\n[diff]\n\texternal = "touch {marker}"\n'
    )
    (root / ".hadolint.yaml").write_text("ignored: [DL3006]\n")
    (root / "Dockerfile").write_text("FROM python\nRUN make\n")
    (root / "mlwright.toml").write_text(
        '[project]\nname = "trap"\n[[dataset]]\nname = "a"\nsource = "setup.py:a"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "mlwright", "assess", ".", "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=50,
        env={
            **os.environ,
            "PYTHONSAFEPATH": "1",
            "PYTHONPATH": str(Path(mlwright_package.__file__).parents[1]),
        },
    )
    assert json.loads(done.stdout)["profile"]["kind"] == "application", done.stderr
    engineer.review(root)
    assert not marker.exists()


def test_a_report_is_given_whatever_lies_in_the_folder(tmp_path: Path, engineer) -> None:
    root = tmp_path / "hostile"
    root.mkdir()
    (root / "loop").symlink_to(root)
    (root / "away").symlink_to("/etc")
    os.mkfifo(root / "pipe.py")
    (root / "bad.py").write_bytes(b"\xff\xfe\x00 def (")
    (root / "deep.py").write_text("x = " + "(" * 20_000)
    (root / "long.py").write_text("x = " + "1+" * 50_000 + "1\n")
    (root / "bomb.yaml").write_text(
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12))
    )
    (root / "deep.yaml").write_text("[" * 50_000)
    (root / "deep.json").write_text("[" * 200_000)
    (root / "deep.toml").write_text("a = " + "[" * 20_000)
    (root / "nest.ipynb").write_text('{"cells": ' + "[" * 100_000)
    with (root / "huge.ipynb").open("w") as file:
        file.write(
            '{"cells": [{"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["x = 1"], "outputs": ['
        )
        file.write(
            '{"output_type": "stream", "name": "stdout", "text": ["'
            + "y" * 50_000_000
            + '"]}]}], "metadata": {}}'
        )
    with (root / "sparse.csv").open("wb") as sparse:
        sparse.truncate(2_000_000_000)
    (root / "main.tf").write_text("resource " * 100_000)
    (root / "Dockerfile").write_text("RUN a \\\n" * 100_000)
    folder = root
    for _ in range(150):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (root / os.fsdecode(b"na\xefve.py")).write_text("import torch\n")
    assessment, _ = engineer.assess(root)
    assert not [each for each in assessment.findings if each.outcome is Outcome.ERROR]
    assert any("huge.ipynb" in each or "deep" in each for each in assessment.unread)
    for form in (["--details"], ["--html", "-"], ["--sarif", "-"], ["--json"]):
        assert "Traceback" not in mlwright("assess", str(root), *form)


def test_a_mended_finding_raises_the_score(tmp_path: Path, engineer) -> None:
    root = tmp_path / "churn"
    shutil.copytree(CORPUS / "healthy-churn" / "repo", root)
    whole, _ = engineer.assess(root)
    (root / "uv.lock").rename(tmp_path / "uv.lock")
    broken, _ = engineer.assess(root)
    assert {each.id: each.outcome for each in broken.findings}["dependencies.locked"] is Outcome.FALSE
    assert broken.readiness.low < whole.readiness.low
    recommended = {each.finding: each for each in broken.recommendations}
    assert recommended["dependencies.locked"].gain > 0
    assert "ml-test-score/I1" in recommended["dependencies.locked"].items


def test_unknown_never_counts_as_a_pass(engineer) -> None:
    repository = collect(CORPUS / "healthy-churn" / "repo")
    nothing = replace(
        repository,
        python=(), documents=(), dockerfiles=(), kubernetes=(), containers=(), workflows=(), resources=(),
        pipelines=(), alerts=(), requirements=(), locks=(), texts=(), files=(), history=None,
    )  # fmt: skip
    assert nothing.profile.kind is RepositoryKind.APPLICATION
    report = engineer.judge(nothing)
    score = next(each for each in report.rubrics if each.id == "ml-test-score")
    assert score.points is not None
    assert score.points.low == 0
    assert report.readiness.low < 10


def test_the_review_of_a_file_looks_at_that_file_alone(engineer) -> None:
    report, repository = engineer.review(CORPUS / "healthy-churn" / "repo" / "Dockerfile")
    assert [each.path for each in repository.files] == ["Dockerfile"]
    assert not [each for each in report.findings if each.outcome is Outcome.FALSE and not each.locations]


def test_a_folder_that_is_not_there_is_named() -> None:
    said = mlwright("assess", "/nowhere/at/all")
    assert "no such folder" in said
    assert "mlwright assess ." in said


def test_we_keep_our_own_rules(engineer) -> None:
    """The engineer finds nothing grave in the repository that it stands in."""
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("not in a checkout")
    if any(each.parent != root for each in root.glob("*/mlwright.toml")):
        pytest.skip("a project, such as the demo's, lies in this checkout and makes an application of it")
    report, _ = engineer.assess(root)
    assert report.profile.kind is RepositoryKind.LIBRARY
    standing = take_stock(
        report, root, probes={each.id for each in report.findings}, today=date(2026, 11, 23)
    )
    accepted = {each.finding for each in standing.assessment.suppressions}
    assert "model.loads_trusted" in accepted
    assert [each.id for each in report.findings if each.alarming and each.id not in accepted] == []
