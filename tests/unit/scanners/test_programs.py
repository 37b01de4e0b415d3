import json
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mlwright.adapters.scanners import scanners
from mlwright.adapters.scanners.checkov import CheckovScanner
from mlwright.adapters.scanners.hadolint import HadolintScanner
from mlwright.adapters.scanners.program import find_program, run
from mlwright.adapters.scanners.zizmor import ZizmorScanner
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

DOCKERFILE = "FROM python\nRUN cd /tmp\n"
WORKFLOW = """\
on: issues
permissions: {}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.issue.title }}"
      - uses: somebody/thing@v1
"""


def script(folder: Path, body: str) -> Path:
    file = folder / "program"
    file.write_text(f"#!{sys.executable}\n" + textwrap.dedent(body), encoding="utf-8")
    file.chmod(0o755)
    return file


def test_one_scanner_a_topic_in_one_order() -> None:
    topics = [each.topic for each in scanners()]
    assert topics == ["secrets", "pickles", "dockerfiles", "workflows", "infrastructure"]


def test_hadolint(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    scan = HadolintScanner().scan(tmp_path, ["Dockerfile"])
    assert scan.version[0].isdigit()
    found = [(hit.rule, hit.severity, hit.location) for hit in scan.hits]
    assert found == [
        ("DL3006", Severity.WARNING, Location(path="Dockerfile", line=1)),
        ("DL3003", Severity.WARNING, Location(path="Dockerfile", line=2)),
        ("SC2164", Severity.WARNING, Location(path="Dockerfile", line=2)),
    ]


def test_a_repository_cannot_switch_hadolint_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    for name in (".hadolint.yaml", ".config/hadolint.yaml", "hadolint.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("ignored: [DL3006, DL3003]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HADOLINT_IGNORE", "DL3006,DL3003")
    monkeypatch.setenv("HADOLINT_CONFIG", str(tmp_path / ".hadolint.yaml"))
    assert len(HadolintScanner().scan(tmp_path, ["Dockerfile", ".hadolint.yaml"]).hits) >= 2


def test_a_dockerfile_that_would_take_for_ever_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (tmp_path / "Dockerfile.deep").write_text("FROM a:1\nRUN " + "(" * 5_000, encoding="utf-8")
    (tmp_path / "Dockerfile.less").write_text("FROM a:1\nRUN " + "(" * 150, encoding="utf-8")
    started = time.monotonic()
    scan = HadolintScanner(limit_s=6.0).scan(tmp_path, ["Dockerfile", "Dockerfile.deep", "Dockerfile.less"])
    assert time.monotonic() - started < 40  # a guard against growth without bound, not a measurement
    assert ("Dockerfile.deep", "not-looked-at") in [(hit.location.path, hit.rule) for hit in scan.hits]
    assert ("Dockerfile", "DL3006") in [(hit.location.path, hit.rule) for hit in scan.hits]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Dockerfile", True),
        ("a/b/Containerfile", True),
        ("Dockerfile.gpu", True),
        ("serve.dockerfile", True),
        ("Dockerfile.j2", False),
        ("Dockerfile.md", False),
        (".dockerignore", False),
        ("Dockerfile.dockerignore", False),
        ("docs/dockerfiles.py", False),
    ],
)
def test_what_is_a_dockerfile(path: str, wanted: bool) -> None:
    assert HadolintScanner().wants(path, 100) is wanted


def test_zizmor(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(WORKFLOW, encoding="utf-8")
    (tmp_path / "zizmor.yml").write_text("rules: {template-injection: {disable: true}}\n", encoding="utf-8")
    (tmp_path / ".github/zizmor.yml").write_text(
        "rules: {unpinned-uses: {disable: true}}\n", encoding="utf-8"
    )
    scan = ZizmorScanner().scan(tmp_path, [".github/workflows/a.yml", "zizmor.yml", ".github/zizmor.yml"])
    found = {(hit.rule, hit.location.line, hit.severity) for hit in scan.hits}
    assert {("template-injection", 7, Severity.ERROR), ("unpinned-uses", 8, Severity.ERROR)} <= found


def test_a_broken_workflow_does_not_hide_the_good_one(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(WORKFLOW, encoding="utf-8")
    (folder / "b.yml").write_text("jobs: [\n", encoding="utf-8")
    (folder / "c.yml").write_bytes(b"\xff\xfe\0")
    paths = [f".github/workflows/{name}.yml" for name in "abc"]
    scan = ZizmorScanner().scan(tmp_path, paths)
    assert ".github/workflows/a.yml" in {
        hit.location.path for hit in scan.hits if hit.rule == "unpinned-uses"
    }
    assert (".github/workflows/c.yml", "not-looked-at") in [
        (hit.location.path, hit.rule) for hit in scan.hits
    ]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".github/workflows/a.yml", True),
        ("action.yaml", True),
        ("actions/x/action.yml", True),
        ("templates/.github/workflows/a.yml", False),
        (".github/workflows/old/a.yml", False),
        (".github/dependabot.yml", False),
    ],
)
def test_what_github_would_run(path: str, wanted: bool) -> None:
    assert ZizmorScanner().wants(path, 100) is wanted


def test_checkov_is_handed_nothing_of_the_repository_but_copies(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    for name in ("main.tf", ".checkov.yaml", "notes.yaml", "pod.yaml"):
        (tmp_path / "repo" / name).write_text("apiVersion: v1\n" if name == "pod.yaml" else "a: 1\n")
    program = script(
        tmp_path,
        f"""\
        import json, os, pathlib, sys
        folder = pathlib.Path(sys.argv[sys.argv.index("--directory") + 1])
        said = dict(
            files=sorted(str(file.relative_to(folder)) for file in folder.rglob("*")),
            here=os.listdir(), environment=sorted(os.environ), args=sys.argv[1:],
        )
        pathlib.Path({str(tmp_path / "said.json")!r}).write_text(json.dumps(said))
        print('{{"passed": 0, "failed": 0, "checkov_version": "3.3.30"}}')
        """,
    )
    paths = ["main.tf", ".checkov.yaml", "notes.yaml", "pod.yaml"]
    scanner = CheckovScanner(program)
    assert [path for path in paths if scanner.wants(path, 5)] == ["main.tf", "notes.yaml", "pod.yaml"]
    scan = scanner.scan(tmp_path / "repo", [path for path in paths if scanner.wants(path, 5)])
    said = json.loads((tmp_path / "said.json").read_text())
    assert (scan.version, scan.looked_at, scan.missing) == ("3.3.30", 2, "")
    assert (said["files"], said["here"]) == (["main.tf", "pod.yaml"], [])
    assert set(said["environment"]) <= {
        "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR", "PATH", "LANG", "LC_ALL", "LC_CTYPE",
    }  # fmt: skip
    assert "--external-checks-dir" not in said["args"]
    assert said["args"][said["args"].index("--download-external-modules") + 1] == "false"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise SystemExit(2)", "failed"),
        ("import time; time.sleep(60)", "longer than 0.5 s"),
        ("print('no JSON')", "cannot be read"),
        ("print('[' * 100_000)", "cannot be read"),
        ("print('{\"results\": 3}')", "cannot be read"),
        ("import sys; sys.stdout.buffer.write(b'x' * 40_000_000)", "failed"),
    ],
)
def test_a_program_that_fails_is_missing_with_the_reason(tmp_path: Path, body: str, reason: str) -> None:
    (tmp_path / "main.tf").write_text("locals {}\n", encoding="utf-8")
    limit_s = 0.5 if "sleep" in body else 30.0
    scan = CheckovScanner(script(tmp_path, body), limit_s=limit_s).scan(tmp_path, ["main.tf"])
    assert reason in scan.missing
    assert (scan.hits, scan.looked_at) == ((), 0)
    assert scan.install.startswith("pipx install checkov")


@pytest.mark.parametrize("scanner", [HadolintScanner, ZizmorScanner, CheckovScanner])
def test_a_program_that_is_not_there(scanner: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing" / "python"))
    scan = scanner().scan(tmp_path, [])
    assert "not installed" in scan.missing
    assert "install" in scan.install


def test_no_program_of_the_repository_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", "raise SystemExit(0)").rename(tmp_path / "bin" / "checkov")
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", str(tmp_path / "bin")]))
    assert find_program("checkov", tmp_path) is None
    assert find_program("checkov", tmp_path / "elsewhere") == tmp_path / "bin" / "checkov"


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        """\
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # it keeps our pipe open
        print("started")
        """,
    )
    started = time.monotonic()
    run([str(program)], tmp_path, 1.0)
    assert time.monotonic() - started < 40  # a guard against growth without bound, not a measurement
