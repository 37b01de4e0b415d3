"""Each fix from end to end: on a sick little repository its findings turn, readiness rises, nothing else changes."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mlwright.adapters.odcs import read_contract
from mlwright.engineer.fixes.catalogue import all_fixes
from mlwright.model.findings import Outcome

fixable = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fixable.py"))))
SCHEMA = Path(__file__).parents[3] / "shared/schemas/schemastore/github-workflow.json"


@pytest.fixture(scope="module")
def engineer():
    return fixable.engineer()


@pytest.fixture(autouse=True)
def _uv(tmp_path, monkeypatch):
    monkeypatch.setenv("UV", str(fixable.fake_uv(tmp_path / "bin")))


@pytest.fixture
def fixed(engineer, make_repository):
    """Plans these fixes for FILES with changes (None takes a file away), applies them, and checks what always holds."""

    def run(*ids: str, git: bool = False, **changed: str | None):
        files = {**fixable.FILES, **changed}
        root = make_repository({path: text for path, text in files.items() if text is not None})
        if git:
            fixable.tracked(root)
        before = fixable.everything(root)
        plan = engineer.plan_fixes(root, ids)
        assert fixable.everything(root) == before, "planning writes nothing"
        result = engineer.apply(plan)
        after = fixable.everything(root)
        assert set(before) <= set(after), "nothing is deleted"
        assert {path for path in after if after[path] != before.get(path)} == set(result.written)
        assert set(result.written) == {each.path for each in plan.changes}
        again = engineer.plan_fixes(root, ids)
        assert not again.changes, "a fix that was applied has nothing to do"
        return SimpleNamespace(root=root, plan=plan, result=result, turns=_turns(result))

    return run


def _turns(result):
    return {each.finding for each in result.turned if each.after is Outcome.TRUE}


def _idle(result):
    return {each.finding for each in result.turned if each.after is Outcome.NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("id", "turns", "changed"),
    [
        ("lock", {"dependencies.locked", "dependencies.pinned"}, {}),
        ("seed", {"data.split_seeded", "model.seeded"}, {}),
        ("contract", {"data.contract"}, {}),
        ("dockerfile", {"container.present"}, {}),
        ("dockerfile", {"container.non_root", "container.ignored_context", "container.cached_installs"},
         {"Dockerfile": fixable.DOCKERFILE}),
        ("ci", {"ci.exists", "ci.runs_tests"}, {}),
        ("ci", {"ci.runs_tests"}, {".gitlab-ci.yml": "lint:\n  script:\n    - ruff check .\n"}),
        ("model-card", {"model.card"}, {}),
        ("gitignore", {"security.env_ignored"}, {}),
        ("gitignore", {"security.env_ignored"}, {".gitignore": "*.log"}),
        ("pre-commit", {"code.pre_commit", "code.linted", "security.secret_scanning"}, {}),
        ("pre-commit", {"code.linted", "security.secret_scanning"},
         {".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n  - {id: mine, name: mine, entry: x}\n"}),
    ],
)  # fmt: skip
def test_a_fix_turns_its_findings_and_raises_readiness(fixed, id, turns, changed) -> None:
    done = fixed(id, **changed)
    assert turns <= done.turns | _idle(done.result)
    assert done.result.after.low > done.result.before.low
    [planned] = done.plan.fixes
    assert not planned.refused
    assert {each.finding for each in done.result.remaining} <= set(planned.leaves)
    ours = {each for fix in all_fixes() for each in fix.flips}
    # Nothing else that a fix is there for holds now; what is asked of a new file (container.*) is answered by it.
    assert done.turns & ours <= turns | set(planned.turns) | {"container.cached_installs", "ci.runs_tests",
        "container.non_root", "container.ignored_context", "code.linted"}  # fmt: skip


def test_all_at_once(fixed) -> None:
    done = fixed()
    assert {each.id for each in done.plan.fixes} >= {
        "lock",
        "seed",
        "contract",
        "dockerfile",
        "model-card",
        "gitignore",
    }
    assert done.result.after.low - done.result.before.low > 8
    assert "COPY requirements.txt" in (done.root / "Dockerfile").read_text()
    # The lock came first: CI and image install from what it wrote.
    assert "==1.0" in (done.root / "requirements.txt").read_text()
    assert all(not each.refused for each in done.plan.fixes)


def test_every_fix_is_named_by_its_probes(engineer) -> None:
    known = {fix.id: fix for fix in all_fixes()}
    assert set(known) == {
        "lock", "seed", "contract", "dockerfile", "ci", "model-card", "gitignore", "pre-commit",
    }  # fmt: skip
    for probe in engineer.probes.values():
        if probe.fix is not None:
            assert probe.id in known[probe.fix].flips, probe.id
    for fix in known.values():
        assert set(fix.flips) <= set(engineer.probes), fix.id


def test_a_diff_is_what_patch_takes(engineer, make_repository) -> None:
    root = make_repository({**fixable.FILES, "Dockerfile": fixable.DOCKERFILE.replace("\n", "\r\n").rstrip()})
    plan = engineer.plan_fixes(root)
    diff = "".join(each.diff for each in plan.changes)
    (root.parent / "all.diff").write_bytes(diff.encode())
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "../all.diff"], cwd=root, capture_output=True, text=True,
        env={"GIT_CEILING_DIRECTORIES": str(root.parent), "PATH": "/usr/bin:/bin:/usr/local/bin"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for each in plan.changes:
        assert (root / each.path).read_bytes() == each.content


def test_a_dry_plan_is_the_same_each_time(engineer, make_repository) -> None:
    root = make_repository(fixable.FILES)
    assert engineer.plan_fixes(root) == engineer.plan_fixes(root)


# container.*


def test_a_mended_dockerfile_keeps_every_other_line(fixed) -> None:
    done = fixed("dockerfile", Dockerfile=fixable.DOCKERFILE)
    assert (done.root / "Dockerfile").read_text() == (
        "# what we had\nFROM python:3.12-slim\nWORKDIR /srv\n"
        "COPY requirements.txt ./\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"
        "RUN useradd --create-home --uid 10001 app\nUSER 10001\n"
        "EXPOSE 8000\n\n# how it starts\n"
        'CMD ["uvicorn", "app:app"]\n'
    )
    assert "imagetools inspect python:3.12-slim" in done.plan.fixes[0].leaves["container.pinned_base"]


def test_a_digest_is_taken_from_the_repository_and_never_made_up(fixed) -> None:
    digest = "sha256:" + "b" * 64
    done = fixed(
        "dockerfile",
        Dockerfile="FROM python:3.12-slim\nUSER 1000\n",
        **{"jobs/Dockerfile": f"FROM python:3.12-slim@{digest}\nUSER 1000\n"},
    )
    assert (done.root / "Dockerfile").read_text() == f"FROM python:3.12-slim@{digest}\nUSER 1000\n"
    assert "container.pinned_base" in done.turns
    new = fixed("dockerfile")
    assert "sha256:<digest>" in (new.root / "Dockerfile").read_text()
    assert "TODO(owner): pin the base" in (new.root / "Dockerfile").read_text()


@pytest.mark.parametrize(
    "install",
    [
        "RUN pip install -r requirements.txt && python setup.py install",
        "RUN pip install -r requirements.txt .",
        "RUN make install -r requirements.txt",
    ],
)
def test_an_order_that_is_not_plain_is_left(fixed, install) -> None:
    text = fixable.DOCKERFILE.replace("RUN pip install --no-cache-dir -r requirements.txt", install)
    done = fixed("dockerfile", Dockerfile=text)
    lines = (done.root / "Dockerfile").read_text().splitlines()
    assert lines.index("COPY . .") < lines.index(install)


def test_no_command_is_made_up(fixed) -> None:
    two = fixable.APP.replace("app = FastAPI()", "app = FastAPI()\nother = FastAPI()")
    text = (fixed("dockerfile", **{"app.py": two}).root / "Dockerfile").read_text()
    assert "CMD" not in [line.split()[0] for line in text.splitlines() if line.strip()]
    assert "TODO(owner): the command" in text


# ci.*


def test_a_workflow_satisfies_the_published_schema(fixed) -> None:
    if not SCHEMA.is_file():
        pytest.skip("the schema of GitHub's workflows is not in ../shared")
    jsonschema = pytest.importorskip("jsonschema")
    text = (fixed("ci").root / ".github/workflows/tests.yml").read_text()
    document = {str(key).replace("True", "on"): value for key, value in yaml.safe_load(text).items()}
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["permissions"] == {"contents": "read"}
    assert {"push", "pull_request"} == set(document["on"])


def test_a_workflow_without_tests_says_so_and_stays_green(fixed) -> None:
    done = fixed("ci", **{"tests/test_app.py": None})
    text = (done.root / ".github/workflows/tests.yml").read_text()
    run = yaml.safe_load(text)["jobs"]["tests"]["steps"][-1]["run"]
    assert run == 'python -m pytest || [ "$?" -eq 5 ]'
    assert any("no tests yet" in each for each in done.plan.fixes[0].notes)


def test_the_zizmor_rules_pass(fixed) -> None:
    """What zizmor reports at its usual persona: nothing."""
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.is_file():
        pytest.skip("zizmor is not installed")
    root = fixed("ci").root
    done = subprocess.run(
        [zizmor, "--offline", "--no-progress", root / ".github/workflows"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab_keeps_its_jobs(fixed) -> None:
    old = "# ours\nstages: [test]\nlint:\n  stage: test\n  script: [ruff check .]\n"
    text = (fixed("ci", **{".gitlab-ci.yml": old}).root / ".gitlab-ci.yml").read_text()
    assert text.startswith(old)
    assert "python -m pytest" in yaml.safe_load(text)["tests"]["script"]


def test_a_host_that_is_not_written_for_is_refused(engineer, make_repository) -> None:
    circle = "version: 2.1\njobs:\n  a:\n    docker: [{image: x}]\n    steps: [{run: ruff check .}]\n"
    plan = engineer.plan_fixes(make_repository({**fixable.FILES, ".circleci/config.yml": circle}), ["ci"])
    assert not plan.changes
    assert "circle" in plan.fixes[0].refused


# contract


def test_the_contract_is_valid_and_tells_no_personal_value(fixed) -> None:
    done = fixed("contract")
    path = done.root / "contracts/churn.odcs.yaml"
    contract = read_contract(path)
    assert [each.name for each in contract.columns] == ["customer_id", "email", "usage", "started", "churned"]
    assert {each.name: each.logical_type for each in contract.columns}["started"] == "date"
    assert contract.column("usage").minimum == 0
    assert contract.column("usage").maximum > 59 * 1.5
    assert contract.column("customer_id").maximum is None
    assert all(each.required for each in contract.columns)
    assert "secret" not in path.read_text()
    assert "@" not in path.read_text()


@pytest.mark.parametrize("header", ['null,0x1f,{a: b},\u00fcber,\'q\',"say ""x""",- a,#h,y', "a\tb,a b,a:b"])
def test_any_column_name_gives_a_valid_contract(fixed, header) -> None:
    row = ",".join("1" for _ in header.split(","))
    done = fixed("contract", **{"data/churn.csv": f"{header}\n{row}\n{row}\n"})
    contract = read_contract(done.root / "contracts/churn.odcs.yaml")
    assert len(contract.columns) == len(header.split(","))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\x01garbage\x00",
        b"version https://git-lfs.github.com/spec/v1\n",
        b'"a,b\n1,2',
        b"PAR1xxxxPAR1",
    ],
)
@pytest.mark.parametrize("name", ["data/churn.csv", "data/churn.parquet", "data/churn.jsonl"])
def test_data_that_is_none_is_refused_or_profiled_and_never_breaks(
    engineer, make_repository, content, name
) -> None:
    train = fixable.TRAIN.replace("data/churn.csv", name)
    files = {**fixable.FILES, "train.py": train, name: content}
    if name != "data/churn.csv":
        del files["data/churn.csv"]
    plan = engineer.plan_fixes(make_repository(files), ["contract"])
    assert bool(plan.changes) != bool(plan.fixes[0].refused)


# model card


def test_the_card_claims_nothing_without_a_place(fixed) -> None:
    text = (fixed("model-card").root / "MODEL_CARD.md").read_text()
    for line in text.splitlines():
        if line.startswith("- ") and "TODO(owner)" not in line:
            assert "train.py:" in line or line.startswith("- Libraries that the code imports: "), line
    assert text.count("TODO(owner)") == 9
    assert len([line for line in text.splitlines() if line.startswith("## ")]) == 9


def test_a_card_that_is_there_is_left(fixed) -> None:
    done = fixed("model-card", **{"docs/model_card.md": "# Model card\n\nOurs.\n"})
    assert not done.plan.changes


# gitignore


def test_only_what_is_missing_is_appended(fixed) -> None:
    old = "# ours\r\n.env*\r\n__pycache__/\r\ndata/\r\n"
    done = fixed("gitignore", **{".gitignore": old.replace("\r\n", "\n")})
    text = (done.root / ".gitignore").read_text()
    assert text.startswith("# ours\n.env*\n__pycache__/\ndata/\n")
    added = text.removeprefix("# ours\n.env*\n__pycache__/\ndata/\n")
    assert ".env" not in added
    assert "/data" not in added
    assert "__pycache__" not in added
    assert ".venv/" in added


def test_files_that_git_tracks_are_said_to_stay(engineer, make_repository) -> None:
    files = {**fixable.FILES, "data/big.csv": {"bytes": 1_200_000}, ".gitattributes": None}
    root = make_repository({path: text for path, text in files.items() if text is not None})
    fixable.tracked(root)
    plan = engineer.plan_fixes(root, ["gitignore"])
    assert "git rm --cached data/big.csv" in plan.fixes[0].leaves["data.not_in_git"]
    head = (root / ".git/HEAD").read_bytes()
    result = engineer.apply(plan)
    assert [each.finding for each in result.remaining] == ["data.not_in_git"]
    assert "git rm --cached" in result.remaining[0].why
    assert (root / ".git/HEAD").read_bytes() == head
    assert (root / "data/big.csv").exists()


def test_a_package_called_data_is_not_ignored(fixed) -> None:
    done = fixed("gitignore", **{"data/__init__.py": "", "data/load.py": "x = 1\n"})
    assert "/data/**" not in (done.root / ".gitignore").read_text()


# pre-commit


def test_hooks_are_added_to_those_that_are_there(fixed) -> None:
    old = (
        "# hooks\ndefault_stages: [pre-commit]\nrepos:\n"
        "  # style\n  - repo: https://github.com/astral-sh/ruff-pre-commit\n    rev: v0.1.0\n"
        "    hooks:\n      - id: ruff\n"
        "\nci:\n  autofix_prs: false\n"
    )
    notebook = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    done = fixed("pre-commit", **{".pre-commit-config.yaml": old, "look.ipynb": notebook})
    text = (done.root / ".pre-commit-config.yaml").read_text()
    repos = [each["repo"] for each in yaml.safe_load(text)["repos"]]
    assert repos[0] == "https://github.com/astral-sh/ruff-pre-commit"
    assert [each.rpartition("/")[2] for each in repos[1:]] == [
        "pre-commit-hooks",
        "detect-secrets",
        "nbstripout",
    ]
    assert text.startswith(old.partition("\nci:")[0])
    assert text.endswith("\nci:\n  autofix_prs: false\n")


@pytest.mark.parametrize(
    "text", ["repos: []\n", "repos: [{repo: meta, hooks: [{id: identity}]}]\n", "- a\n", "{\n", ""]
)
def test_hooks_in_another_form_are_left(engineer, make_repository, text) -> None:
    plan = engineer.plan_fixes(
        make_repository({**fixable.FILES, ".pre-commit-config.yaml": text}), ["pre-commit"]
    )
    assert not plan.changes
    assert "plain list" in plan.fixes[0].refused
