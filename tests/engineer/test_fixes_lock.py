"""Locking: what uv is asked, what it is never asked, and what is said where it cannot be.

No test asks an index: uv is a FAKE (fixable.FAKE_UV).
"""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.engineer.fixes import resolving

fixable = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fixable.py"))))
PROJECT = """\
[project]
name = "churn"
version = "1"
requires-python = ">=3.11"
dependencies = [
    "pandas",
    "numpy",
]
"""


@pytest.fixture(scope="module")
def engineer():
    return fixable.engineer()


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Where the FAKE writes down what it was asked, and which files it saw."""
    monkeypatch.setenv("UV", str(fixable.fake_uv(tmp_path / "bin")))
    return tmp_path / "bin/asked.txt"


@pytest.fixture
def plan(engineer, make_repository, asked):
    def make(**changed):
        files = {**fixable.FILES, **changed}
        return engineer.plan_fixes(
            make_repository({p: t for p, t in files.items() if t is not None}), ["lock"]
        )

    return make


def test_a_list_is_compiled_and_what_people_wrote_is_kept(plan, asked) -> None:
    done = plan()
    texts = {each.path: each.text for each in done.changes}
    assert texts["requirements.in"] == fixable.FILES["requirements.txt"]
    assert texts["requirements.txt"].count("--hash=sha256:") == 5
    words, *files = asked.read_text().splitlines()
    assert words.startswith(
        "pip compile --universal --generate-hashes --python-version 3.12 requirements.in -o requirements.txt"
    )
    assert files == ["requirements.in"], "uv sees nothing of the repository but the list"


def test_a_project_is_locked(plan, asked) -> None:
    done = plan(**{"pyproject.toml": PROJECT})
    assert [each.path for each in done.changes] == ["uv.lock"]
    assert asked.read_text().splitlines()[1:] == ["pyproject.toml"]
    assert done.fixes[0].turns == ("dependencies.locked", "dependencies.pinned")


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("requirements.txt", "-e .\npandas\n", "'-e .'"),
        ("requirements.txt", "pandas\n--index-url https://me:secret@evil.example/simple\n", "//…@evil.example"),
        ("requirements.txt", "evil @ https://evil.example/evil.whl\n", "place of its own"),
        ("requirements.txt", "git+https://evil.example/evil\n", "place of its own"),
        ("requirements.txt", "pandas\nunknown-package\n", "no version of unknown-package"),
        ("pyproject.toml", PROJECT + '\n[[tool.uv.index]]\nurl = "https://evil.example"\n', "[tool.uv] sets index"),
        ("pyproject.toml", PROJECT + "\n[tool.uv.sources]\npandas = { path = \"../x\" }\n", "[tool.uv] sets sources"),
        ("pyproject.toml", PROJECT.replace('"numpy"', '"x @ git+https://evil.example/x"'), "its address"),
        ("pyproject.toml", PROJECT.replace("version = ", "dynamic = ['optional-dependencies']\nversion = "), "dynamic"),
    ],
)  # fmt: skip
def test_what_could_run_or_fetch_something_else_is_refused(plan, path, text, why) -> None:
    done = plan(**{path: text})
    assert not done.changes
    assert why in done.fixes[0].refused
    assert "secret" not in done.fixes[0].refused
    assert "uv " in done.fixes[0].next_command


@pytest.mark.parametrize(
    ("name", "command"), [("poetry.lock", "poetry lock"), ("environment.yml", "conda-lock")]
)
def test_other_tools_are_named(plan, name, command) -> None:
    text = "name: x\nchannels: [defaults]\ndependencies: [pandas]\n" if name.endswith("yml") else "x"
    done = plan(**{"requirements.txt": None, name: text})
    assert command in done.fixes[0].next_command


def test_without_uv_the_command_is_said(plan, monkeypatch) -> None:
    monkeypatch.setenv("UV", "")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(resolving.importlib.util, "find_spec", lambda name: None)
    done = plan()
    assert not done.changes
    assert "not installed" in done.fixes[0].refused
    assert done.fixes[0].next_command.startswith(
        "python -m pip install uv && cp requirements.txt requirements.in && uv"
    )
    # Versions that another file of the repository names need nobody to ask.
    pinned = plan(**{"deploy/constraints.txt": "numpy==1.26.4\npandas==2.2.0\nuvicorn==0.30.0\n"})
    [change] = pinned.changes
    assert (
        change.text
        == "# ours\nnumpy==1.26.4\npandas==2.2.0 # frames\nscikit-learn\nuvicorn==0.30.0\nfastapi\n"
    )


def test_a_uv_in_the_repository_is_not_run(make_repository, tmp_path, monkeypatch) -> None:
    root = make_repository({"uv": "#!/bin/sh\ntouch ran\n"})
    (root / "uv").chmod(0o755)
    monkeypatch.chdir(root)
    monkeypatch.setenv("UV", "./uv")
    monkeypatch.setenv("PATH", ".")
    found = resolving.find_uv()
    assert found is None or found.command[0].startswith("/")
    assert not (root / "ran").exists()


def test_a_uv_that_writes_nothing_or_fails_is_said(tmp_path) -> None:
    with pytest.raises(resolving.Unresolved, match=r"wrote no uv\.lock"):
        resolving.Resolver(command=("/bin/true",)).run(("lock",), {"a": b""}, "uv.lock")
    with pytest.raises(resolving.Unresolved, match="cannot be started"):
        resolving.Resolver(command=(str(tmp_path / "none"),)).run(("lock",), {}, "uv.lock")


def test_a_library_is_not_locked(plan) -> None:
    library = PROJECT + "\n[project.urls]\nhome = 'x'\n[build-system]\nrequires = ['hatchling']\n"
    done = plan(
        **{
            "pyproject.toml": library.replace("version", "classifiers = ['Framework :: x']\nversion"),
            "app.py": None, "train.py": None, "data/churn.csv": None, "tests/test_app.py": None,
            "src/churn/__init__.py": "from churn.model import Model\n__all__ = ['Model']\n",
            "src/churn/model.py": "from sklearn.base import BaseEstimator\nclass Model(BaseEstimator):\n"
            "    def fit(self, X, y):\n        return self\n    def predict(self, X):\n        return X\n",
        }
    )  # fmt: skip
    assert not done.changes or done.outcomes["dependencies.locked"] == "false"
