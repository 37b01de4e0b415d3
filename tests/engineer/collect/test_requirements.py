"""Direct dependencies out of every kind of file."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.requirements import of_setup_py, of_text, read_requirements
from mlwright.model.findings import Location

Read = Callable[[Mapping[str, str | bytes]], Configuration]


def rows(found: Configuration) -> list[tuple[str, str, bool, bool, str, str]]:
    return [(r.name, r.specifier, r.pinned, r.hashed, r.group, str(r.at)) for r in found.requirements]


@pytest.mark.parametrize(
    ("text", "name", "pinned"),
    [
        ("Scikit_Learn==1.2 ; python_version > '3'", "scikit-learn", True),
        ("numpy>=1,<2", "numpy", False),
        ("numpy==1.*", "numpy", False),
        ("git+https://h.example/a/tool.git@" + "a" * 40, "tool", True),
        ("git+https://h.example/a/tool.git@main#egg=other", "other", False),
        ("x @ https://h.example/x-1.0-py3-none-any.whl", "x", True),
        ("torch[cuda]~=2.0  # why", "torch", False),
        ("numpy = 1.0", "numpy", False),
    ],
)
def test_one_line(text: str, name: str, pinned: bool) -> None:
    found = of_text(text, Location(path="r.txt", line=1))
    assert found is not None
    assert (found.name, found.pinned) == (name, pinned)


@pytest.mark.parametrize("text", ["./local", "-e .", ".[dev]", "", "../x/y.whl", "==1"])
def test_what_names_no_package_is_none(text: str) -> None:
    assert of_text(text, Location(path="r.txt", line=1)) is None


def test_a_requirement_file_with_options_includes_and_hashes(read: Read) -> None:
    found = read(
        {
            "requirements.txt": "--index-url http://user:pw@h.example/simple\n--trusted-host h.example\n"
            "-r deps/base.x\n-c constraints.txt\npandas==2.0 \\\n    --hash=sha256:ab\nnumpy\n",
            "deps/base.x": "flask>=2\n",
            "constraints.txt": "numpy==1.26\n",
            "requirements-dev.txt": "pytest\n",
            "tests/requirements.txt": "httpx\n",
        }
    )
    assert rows(found) == [
        ("flask", ">=2", False, False, "", "deps/base.x:1"),
        ("pytest", "", False, False, "dev", "requirements-dev.txt:1"),
        ("pandas", "==2.0", True, True, "", "requirements.txt:5"),
        ("numpy", "", True, False, "", "requirements.txt:7"),
        ("httpx", "", False, False, "test", "tests/requirements.txt:1"),
    ]
    assert [(each.line, each.text) for each in found.indexes] == [
        (1, "--index-url http://…@h.example/simple"),
        (2, "--trusted-host h.example"),
    ]


def test_pyproject_of_every_tool(read: Read) -> None:
    found = read(
        {
            "pyproject.toml": "[build-system]\nrequires = ['hatchling']\n"
            "[project]\ndependencies = [\n 'a>=1',\n 'b',\n]\nname = 'Me.x'\n"
            "[project.optional-dependencies]\ngpu = ['cupy', 'me-x[all]']\n"
            "[dependency-groups]\ndev = ['pytest', {include-group = 'x'}]\n",
            "poetry/pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.11'\nc = '1.2.3'\nd = {version = '^1'}\n"
            "e = {path = '../e'}\n[tool.poetry.group.test.dependencies]\nf = '*'\n"
            "[[tool.poetry.source]]\nname = 'x'\nurl = 'http://h.example'\n",
        }
    )
    assert rows(found) == [
        ("c", "1.2.3", True, False, "", "poetry/pyproject.toml:3"),
        ("d", "^1", False, False, "", "poetry/pyproject.toml:4"),
        ("f", "", False, False, "test", "poetry/pyproject.toml:7"),
        ("hatchling", "", False, False, "build", "pyproject.toml:2"),
        ("a", ">=1", False, False, "", "pyproject.toml:5"),
        ("b", "", False, False, "", "pyproject.toml:6"),
        ("cupy", "", False, False, "gpu", "pyproject.toml:10"),
        ("pytest", "", False, False, "dev", "pyproject.toml:12"),
    ]
    assert found.indexes[0].text == "url = http://h.example"


def test_setup_files_conda_and_pipenv(read: Read) -> None:
    found = read(
        {
            "environment.yml": "name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - numpy=1.26.4\n"
            "  - conda-forge::scipy>=1\n  - pip:\n    - torch==2.0\n",
            "pkg/setup.cfg": "[options]\ninstall_requires =\n    a>=1\n    b\n[options.extras_require]\nx = c\n",
            "Pipfile": "[packages]\nflask = '*'\n[dev-packages]\npytest = '==8.0'\n",
        }
    )
    assert [(each[0], each[2], each[4], each[5]) for each in rows(found)] == [
        ("flask", False, "", "Pipfile:2"),
        ("pytest", True, "dev", "Pipfile:4"),
        ("numpy", True, "", "environment.yml:5"),
        ("scipy", False, "", "environment.yml:6"),
        ("torch", True, "", "environment.yml:8"),
        ("a", False, "", "pkg/setup.cfg:3"),
        ("b", False, "", "pkg/setup.cfg:4"),
        ("c", False, "x", "pkg/setup.cfg:6"),
    ]


def test_setup_py_is_read_and_not_run() -> None:
    text = "import os\nos.abort()\nneeds = ['a', 'b==1']\nsetup(install_requires=needs, extras_require={'x': ['c']})\n"
    assert [(each.name, each.group) for each in of_setup_py("setup.py", text)] == [
        ("a", ""),
        ("b", ""),
        ("c", "x"),
    ]


LOCK = (
    '[[package]]\nname = "a"\nversion = "1"\nsdist = {{ hash = "sha256:{0}" }}\n\n[[package]]\nname = "b"\n'
)


def test_locks_are_counted_and_make_the_direct_ones_hashed(read: Read) -> None:
    found = read(
        {
            "uv.lock": LOCK.format("a" * 64),
            "pyproject.toml": "[project]\ndependencies = ['a', 'z']\n",
            "Pipfile.lock": '{\n    "default": {\n        "x": {\n            "version": "==1"\n        }\n    }\n}\n',
            "conda-lock.yml": "package:\n- name: q\n  hash:\n    sha256: aa\n",
        }
    )
    assert [(each.path, each.tool, each.packages, each.hashed) for each in found.locks] == [
        ("Pipfile.lock", "pipenv", 1, False),
        ("conda-lock.yml", "conda-lock", 1, True),
        ("uv.lock", "uv", 2, True),
    ]
    assert [(each.name, each.pinned, each.hashed) for each in found.requirements] == [
        ("a", False, True),
        ("z", False, False),
    ]


def test_compiled_pins_are_a_lock_and_their_source_stays_the_direct_list(read: Read) -> None:
    found = read(
        {
            "requirements.in": "flask\n",
            "requirements.txt": "#\n# This file is autogenerated by pip-compile with Python 3.11\n#\n"
            "click==8.1 \\\n    --hash=sha256:aa\nflask==3.0 \\\n    --hash=sha256:bb\n",
        }
    )
    assert [(each.tool, each.packages, each.hashed) for each in found.locks] == [("pip-compile", 2, True)]
    assert rows(found) == [("flask", "", True, True, "", "requirements.in:1")]


def test_a_short_list_of_pins_is_no_lock(read: Read) -> None:
    assert read({"requirements.txt": "flask==3.0\nnumpy==1.26\n"}).locks == ()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=100))
def test_no_line_raises(text: str) -> None:
    read_requirements("requirements.txt", text)
    of_setup_py("setup.py", text)
