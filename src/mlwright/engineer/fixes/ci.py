"""A CI definition that runs the tests, with no more rights than it needs."""

from collections.abc import Sequence
from typing import Final

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.project import (
    PYTEST,
    RUFF,
    UV,
    Installing,
    installing,
    pyproject,
    python_version,
    requires,
)
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import source_of
from mlwright.engineer.probes.ci import exists, runs_tests
from mlwright.model.findings import Outcome

# The commits that these tags of the actions' repositories name; a tag can be moved, a commit cannot.
_CHECKOUT: Final = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
_SETUP_PYTHON: Final = "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0"
_MINUTES: Final = 20
_GITHUB: Final = (".github/workflows/tests.yml", ".github/workflows/python-tests.yml")
_GITLAB: Final = ".gitlab-ci.yml"
_NO_TESTS: Final = (
    "5 is what pytest says where there are no tests yet: write one, then delete what follows ||"
)
_REVIEWED: Final = "read the result of the first run: nothing of it was run here"


def plan(repository: Repository, read: Read) -> Draft:
    """Write a definition for the host that the repository is at, or add a job to the one of GitLab."""
    hosts = {each.host.lower() for each in repository.workflows}
    if hosts and runs_tests.look(repository).outcome is Outcome.TRUE:
        return NOTHING
    if hosts and runs_tests.look(repository).outcome is not Outcome.FALSE:
        return Draft(refused="CI is defined, and whether it runs the tests cannot be told from its files")
    if not hosts and exists.look(repository).outcome is Outcome.TRUE:
        return Draft(refused="CI is defined for a host whose files are not read here")
    host = _host(repository, hosts)
    if host == "gitlab":
        return _gitlab(repository, read)
    if host == "github":
        return _github(repository, read)
    return Draft(
        refused=f"CI runs at {host}, for which nothing is written here",
        next_command="add a step that runs: python -m pytest",
    )


def _host(repository: Repository, hosts: set[str]) -> str:
    if hosts:
        known = [name for name in ("github", "gitlab") if any(name in host for host in hosts)]
        return known[0] if known else min(hosts)
    remotes = " ".join(repository.history.remotes if repository.history else ()).lower()
    for name in ("github", "gitlab", "bitbucket", "dev.azure", "codeberg"):
        if name in remotes:
            return name
    return "github"


def _github(repository: Repository, read: Read) -> Draft:
    path = next((each for each in _GITHUB if read(each, head=1) is None), None)
    if path is None:
        return Draft(refused=f"{_GITHUB[0]} is there already, and runs no tests")
    version, declared = python_version(repository, read)
    steps = _commands(repository, read, "github")
    lines = [
        "name: tests",
        "",
        "on:",
        "  push:",
        "    branches: [main, master]",
        "  pull_request:",
        "",
        "permissions:",
        "  contents: read",
        "",
        "concurrency:",
        "  group: tests-${{ github.ref }}",
        "  cancel-in-progress: true",
        "",
        "jobs:",
        "  tests:",
        "    name: Tests",
        "    runs-on: ubuntu-24.04",
        f"    timeout-minutes: {_MINUTES}",
        "    steps:",
        f"      - uses: {_CHECKOUT}",
        "        with:",
        "          persist-credentials: false",
        f"      - uses: {_SETUP_PYTHON}",
        "        with:",
        f'          python-version: "{version}"' + _unless(declared),
    ]
    for name, command in steps:
        lines += [f"      - name: {name}", f"        run: {command}"]
    return Draft(changes={path: _text(lines)}, notes=(_REVIEWED, *_notes(repository, read)))


def _gitlab(repository: Repository, read: Read) -> Draft:
    version, declared = python_version(repository, read)
    job = [
        "tests:",
        "  stage: test",
        # A digest would have to be asked for: none is made up.
        f"  image: python:{version}-slim" + _unless(declared),
        f"  timeout: {_MINUTES} minutes",
        "  interruptible: true",
        "  script:",
        *(f"    - {command}" for _, command in _commands(repository, read, "gitlab")),
    ]
    raw = read(_GITLAB)
    if raw is None:
        if read(_GITLAB, head=1) is not None:
            return Draft(refused=f"{_GITLAB} is too large")
        return Draft(changes={_GITLAB: _text(job)}, notes=(_REVIEWED,))
    source = source_of(_GITLAB, raw)
    document = next((each for each in repository.documents if each.path == _GITLAB), None)
    if source is None or document is None or not isinstance(document.data, dict) or "---" in source.text:
        return Draft(refused=f"{_GITLAB} cannot be read as one document")
    stages = document.get("stages")
    if "tests" in document.data or (isinstance(stages, list) and "test" not in stages):
        return Draft(refused=f"{_GITLAB} has a job 'tests', or no stage 'test': add a job that runs pytest")
    text = source.ended() + source.newline + source.block(job)
    return Draft(changes={_GITLAB: source.encode(text)}, notes=(_REVIEWED,))


def _commands(repository: Repository, read: Read, host: str) -> Sequence[tuple[str, str]]:
    """What a clean machine types: install, lint, test."""
    how = installing(repository, read)
    lint = "check ." if _ruff_is_set_up(repository) else "check --select E9,F63,F7,F82 ."
    steps = list(_install(how, repository))
    inside = {"uv": "uv run --locked ", "poetry": "poetry run "}.get(how.tool, "")
    extra = [] if requires(repository, "pytest") else [PYTEST]
    if how.tool == "uv":
        inside += f"--with {extra[0]} " if extra else ""
    elif extra:
        steps.append(("Install pytest", f"{inside}python -m pip install {' '.join(extra)}"))
    ruff = f"pipx run --spec ruff=={RUFF}" if host == "github" else f"python -m pip install ruff=={RUFF} &&"
    steps.append(("Lint", f"{ruff} ruff {lint}"))
    tests = f"{inside}python -m pytest"
    if not repository.tests:
        tests += f' || [ "$?" -eq 5 ] # {_NO_TESTS}'
    return (*steps, ("Test", tests))


def _install(how: Installing, repository: Repository) -> Sequence[tuple[str, str]]:
    name = "Install what the project needs"
    match how.tool:
        case "uv":
            return [("Install uv", f"python -m pip install {UV}"), (name, "uv sync --locked")]
        case "poetry":
            return [("Install poetry", "pipx install poetry"), (name, "poetry install --no-interaction")]
        case "pip" | "project":
            options = f'-e ".[{_extra(repository)}]"' if how.tool == "project" else how.options
            steps = [(name, f"python -m pip install {options.replace('[]', '')}")]
            steps += [
                ("Install what the tests need", f"python -m pip install -r {path}")
                for path in sorted(
                    {
                        each.at.path
                        for each in repository.requirements
                        if each.group in ("dev", "test", "tests", "testing", "development")
                        and each.at.path.endswith(".txt")
                        and each.at.path not in how.files
                    }
                )
            ]
            return steps
    return []


def _extra(repository: Repository) -> str:
    """The extra of the project that its tests need."""
    project = pyproject(repository)
    extras = project.get("project", "optional-dependencies") if project else None
    known = extras if isinstance(extras, dict) else {}
    return next((each for each in ("test", "tests", "testing", "dev") if each in known), "")


def _ruff_is_set_up(repository: Repository) -> bool:
    return bool(repository.find("ruff.toml", ".ruff.toml")) or any(
        document.get("tool", "ruff") is not None for document in repository.of_kind(DocumentKind.PYPROJECT)
    )


def _unless(declared: bool) -> str:
    return "" if declared else " # TODO(owner): no file here says which Python"


def _notes(repository: Repository, read: Read) -> tuple[str, ...]:
    notes = []
    if installing(repository, read).tool == "":
        notes.append("no file at the root says what to install: the tests may need more than is there")
    if not repository.tests:
        notes.append("there are no tests yet: the job is green until there is one that fails")
    return tuple(notes)


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


FIX: Final = Fix(
    id="ci",
    title="run the tests at each change",
    flips=("ci.exists", "ci.runs_tests", "code.linted"),
    plan=plan,
    rank=2,
)
