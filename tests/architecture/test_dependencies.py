"""What starts fast stays fast: naming mlwright, or asking for its help, loads none of the heavy libraries."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HEAVY = (
    "polars",
    "numpy",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "pydantic",
    "httpx",
    "fsspec",
)

# Packages whose exact version another one pins, and whose names its documentation tells to import.
PART_OF = {"mlflow": "mlflow-skinny", "pydantic_core": "pydantic"}

LOADED = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
HELP = """
import sys
sys.argv = ["mlwright", "--help"]
try:
    from mlwright.doors.cli.main import main
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print()
"""


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + "\n" + LOADED], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import mlwright", HELP], ids=["import", "help"])
def test_starting_loads_nothing_heavy(code) -> None:
    loaded = loaded_after(code)
    assert "mlwright" in loaded
    assert not loaded & set(HEAVY)


def test_heavy_libraries_would_be_seen() -> None:
    assert "sqlalchemy" in loaded_after("import sqlalchemy")


def test_the_core_is_installed_and_new_enough(repository) -> None:
    """Every dependency of the core wheel is there in at least its lowest version."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in project["dependencies"]:
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate():
            assert needed.specifier.contains(importlib.metadata.version(needed.name), prereleases=True), text


def test_every_import_from_outside_is_declared(repository, sources) -> None:
    """A package that only a dependency of ours happens to bring may be gone tomorrow."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = project["dependencies"] + [
        each for extra in project["optional-dependencies"].values() for each in extra
    ]
    declared = {normal(re.split(r"[^A-Za-z0-9._-]", text)[0]) for text in texts}
    brings = importlib.metadata.packages_distributions()
    wrong = []
    for source in sources:
        for name in sorted(imported_roots(source.tree) - sys.stdlib_module_names - {"mlwright"}):
            if source.floor == "testing" and name in {"pytest", "_pytest", "hypothesis"}:
                continue  # the exams run under the user's own pytest
            name = PART_OF.get(name, name)
            if not declared & {normal(each) for each in brings.get(name, [name])}:
                wrong.append(f"{source.path}: {name}")
    assert not wrong, "declare it in pyproject.toml:\n" + "\n".join(wrong)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_roots(tree) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def pins(file: Path) -> dict[str, list[Requirement]]:
    """What a requirements file pins, by normal name. Refuses any line but ``NAME==VERSION`` with hashes."""
    found: dict[str, list[Requirement]] = {}
    for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *hashes = re.split(r"\s--hash=", line)
        assert hashes, f"{file.name}: no hash: {line}"
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each.strip()) for each in hashes), line
        pin = Requirement(text)
        assert [each.operator for each in pin.specifier] == ["=="], f"{file.name}: not pinned: {text}"
        found.setdefault(normal(pin.name), []).append(pin)
    return found


def version(pin: Requirement) -> str:
    [exact] = pin.specifier
    return exact.version


@pytest.mark.parametrize(
    ("file", "extras", "groups"),
    [
        ("demo.txt", ["flights"], []),
        ("dev.txt", ["flights", "postgres", "scan", "mcp", "advisor"], ["dev"]),
    ],
    ids=["demo", "dev"],
)
def test_every_declared_dependency_is_pinned(repository, file, extras, groups) -> None:
    """``./dev`` installs what stands there: a file that was not renewed would leave a package out or too old."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    texts = list(project["project"]["dependencies"])
    texts += [text for extra in extras for text in project["project"]["optional-dependencies"][extra]]
    texts += [text for group in groups for text in project["dependency-groups"][group]]
    pinned = pins(repository / "requirements" / file)
    for text in texts:
        needed = Requirement(text)
        candidates = pinned.get(normal(needed.name), [])
        assert candidates, f"{text} is not in {file}: run ./dev lock"
        for pin in candidates:
            assert needed.specifier.contains(version(pin), prereleases=True), f"{text}: run ./dev lock"


def test_the_demo_runs_on_tested_versions(repository) -> None:
    demo, dev = (
        {
            (name, version(pin))
            for name, each in pins(repository / "requirements" / file).items()
            for pin in each
        }
        for file in ("demo.txt", "dev.txt")
    )
    assert demo <= dev


def test_the_pins_name_no_index(repository) -> None:
    """Everyone installs from the index that they have set; the hashes say what must come."""
    files = sorted((repository / "requirements").iterdir())
    assert [file.name for file in files] == ["data.in", "data.txt", "demo.txt", "dev.txt"]
    for file in files:
        if file.suffix == ".in":
            assert "://" not in file.read_text(encoding="utf-8")
            continue
        lines = file.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if re.search(r"://|^\s*-(?!-hash=)", line)]


def test_opening_a_project_loads_nothing_that_only_some_commands_need() -> None:
    """scipy.stats alone takes as long as all of the rest; each command would pay for it."""
    code = "import mlwright.wiring.project, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"scipy.special", "scipy.stats", "scipy.optimize", "sklearn", "pandas", "torch", "starlette"}
    assert not heavy & set(done.stdout.split())
