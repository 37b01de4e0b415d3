"""The arrows of the house, as pyproject.toml draws them, and the folders as DESIGN lists them."""

import subprocess
import sys
import tomllib

import pytest


def lint(repository, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_every_import_points_down(repository) -> None:
    done = lint(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_an_arrow_up_is_refused(tmp_path) -> None:
    """The same configuration says no to a house with one wrong arrow: the guard is awake."""
    package = tmp_path / "src" / "house"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "top.py").write_text("")
    (package / "low.py").write_text("import house.top\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_package = "house"\n'
        '[[tool.importlinter.contracts]]\nname = "down"\ntype = "layers"\n'
        'containers = ["house"]\nlayers = ["top", "low"]\n'
    )
    code = (
        "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as go; go()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert done.returncode != 0
    assert "house.low -> house.top" in done.stdout


@pytest.mark.parametrize(
    "name", ["errors", "model", "ports", "stages", "platform", "adapters", "doors", "testing"]
)
def test_each_floor_stands(repository, name) -> None:
    house = repository / "src/mlwright"
    assert (house / name / "__init__.py").exists() or (house / f"{name}.py").exists()


def test_no_floor_is_left_out_of_the_drawing(repository) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    drawn = {name.strip() for layer in layers["layers"] for name in layer.split("|")}
    house = repository / "src/mlwright"
    stands = {
        path.stem
        for path in house.iterdir()
        if path.name not in {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    }
    assert layers["exhaustive"] is True
    assert stands <= drawn
