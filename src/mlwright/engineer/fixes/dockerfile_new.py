"""A Dockerfile from facts: what is installed, what serves, on which port; what no file tells is left to the owner."""

import json
import re
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.dockerfile_lines import USER
from mlwright.engineer.fixes.project import UV, Installing, installing, python_version, requires
from mlwright.engineer.fixes.shape import Read
from mlwright.engineer.vocabulary.routes import routes
from mlwright.engineer.vocabulary.sides import serving_files

_ASGI: Final = ("fastapi.FastAPI", "starlette.applications.Starlette", "litestar.Litestar", "quart.Quart")
_WSGI: Final = ("flask.Flask", "apiflask.APIFlask", "falcon.App")
_HEALTH: Final = re.compile(r"^/[\w/-]*(health|ready|live|ping)[\w/-]*$", re.IGNORECASE)
_PORT: Final = 8000
_VENV: Final = "/opt/venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDockerfile:
    """The text, its base image and notes; or why there is none."""

    text: str = ""
    image: str = ""
    notes: tuple[str, ...] = ()
    refused: str = ""
    next_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """How the service is started: the words of CMD, its port, and the path that says whether it is well."""

    words: tuple[str, ...]
    port: int | None
    health: str
    below_src: bool = False


def new_dockerfile(repository: Repository, read: Read) -> NewDockerfile:
    """A Dockerfile for the service at the root of the repository."""
    how = installing(repository, read)
    if how.tool in ("", "poetry"):
        wanted = "poetry export" if how.tool else "a requirements.txt or pyproject.toml at the root"
        return NewDockerfile(
            refused="no file at the root says what to install in an image without more tools",
            next_command=f"{wanted}, then mlwright assess --fix dockerfile",
        )
    start = _start(repository)
    version, declared = python_version(repository, read)
    image = f"python:{version}-slim"
    lines = [
        f"# TODO(owner): pin the base: docker buildx imagetools inspect {image}",
        f"# tells its digest, then FROM {image}@sha256:<digest> (twice). No digest is made up here.",
        *([] if declared else ["# TODO(owner): no file here says which Python."]),
        f"FROM {image} AS build",
        "WORKDIR /app",
        *_build(how),
        "",
        f"FROM {image}",
        f"RUN useradd --create-home --uid {USER} app",
        "WORKDIR /app",
        f"COPY --from=build {_VENV} {_VENV}",
        f'ENV PATH="{_VENV}/bin:$PATH" PYTHONUNBUFFERED=1'
        + (" PYTHONPATH=/app/src" if start is not None and start.below_src else ""),
        "COPY . .",
        f"USER {USER}",
        *_run(start),
    ]
    return NewDockerfile(text="".join(f"{line}\n" for line in lines), image=image, notes=_notes(start))


def _build(how: Installing) -> list[str]:
    copies = [f"COPY {' '.join(files)} ./{folder}" for folder, files in sorted(_by_folder(how.files).items())]
    if how.tool == "uv":
        return [
            f"RUN pip install --no-cache-dir {UV}",
            *copies,
            f"ENV UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT={_VENV}",
            "RUN uv sync --locked --no-dev --no-install-project",
        ]
    venv = f"python -m venv {_VENV}"
    if how.tool == "project":
        # setuptools and its like read more than pyproject.toml.
        return ["COPY . .", f"RUN {venv} && {_VENV}/bin/pip install --no-cache-dir ."]
    return [*copies, f"RUN {venv} && {_VENV}/bin/pip install --no-cache-dir {how.options}"]


def _by_folder(files: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in files:
        folder = each.rpartition("/")[0]
        found.setdefault(f"{folder}/" if folder else "", []).append(each)
    return found


def _run(start: _Start | None) -> list[str]:
    if start is None:
        return ["# TODO(owner): the command that starts the service, as CMD; no file here tells it."]
    lines = []
    if start.port is not None:
        ask = (
            f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{start.port}{start.health}', timeout=3)"
            if start.health
            else f"import socket; socket.create_connection(('127.0.0.1', {start.port}), 3).close()"
        )
        lines = [
            f"EXPOSE {start.port}",
            "HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \\",
            f"  CMD {json.dumps(['python', '-c', ask])}",
        ]
    return [*lines, f"CMD {json.dumps(list(start.words))}"]


def _start(repository: Repository) -> _Start | None:
    """The one application that a server can be pointed at; None where there is none, or more than one."""
    found = [
        (file, call.results[0], call.name)
        for file in serving_files(repository)
        for call in file.calls
        if call.name in (*_ASGI, *_WSGI) and not call.scope and len(call.results) == 1
    ]
    if len(found) == 1:
        file, name, kind = found[0]
        below_src = file.path.startswith("src/") and not _imports_src(repository)
        app = f"{_module(file, below_src)}:{name}"
        if kind in _ASGI and requires(repository, "uvicorn"):
            words: tuple[str, ...] = ("uvicorn", app, "--host", "0.0.0.0", "--port", str(_PORT))
            return _Start(words=words, port=_PORT, health=_health(repository), below_src=below_src)
        if kind in _WSGI and requires(repository, "gunicorn"):
            words = ("gunicorn", "--bind", f"0.0.0.0:{_PORT}", app)
            return _Start(words=words, port=_PORT, health=_health(repository), below_src=below_src)
    mains = [each for each in serving_files(repository) if each.main_guard and not each.notebook]
    if len(mains) == 1 and not found:
        return _Start(words=("python", mains[0].path), port=None, health="")
    return None


def _module(file: PythonFile, below_src: bool) -> str:
    path = file.path.removeprefix("src/") if below_src else file.path
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports_src(repository: Repository) -> bool:
    """Whether the folder ``src`` is itself the package."""
    return any(each.name.startswith("src.") for file in repository.production for each in file.imports)


def _health(repository: Repository) -> str:
    """A route that says whether the service is well, and needs no argument."""
    found = sorted(
        each.path
        for each in routes(repository)
        if _HEALTH.match(each.path) and each.call.method in ("get", "route", "api_route")
    )
    return found[0] if found else ""


def _notes(start: _Start | None) -> tuple[str, ...]:
    notes = ["build it once before you rely on it: nothing was built here"]
    if start is None:
        notes.append("which command starts the service is not told by its files: add CMD")
    return tuple(notes)


def ignore_file(repository: Repository) -> str:
    """A .dockerignore: what an image never needs, and the data, where the program does not name it."""
    lines = [
        ".git",
        ".github",
        ".venv",
        "venv",
        "**/__pycache__",
        "**/.ipynb_checkpoints",
        ".mlwright",
        "mlruns",
    ]
    lines += [".env", ".env.*", "**/*.pem", ".dockerignore", "Dockerfile*"]
    named = {path for file in serving_files(repository) for path, _ in file.paths}
    if not any(re.match(r"(\./)?data/", path) for path in named):
        lines.append("data")
    if any(each.path.startswith("tests/") for each in repository.files):
        lines.append("tests")
    return "".join(f"{line}\n" for line in lines)
