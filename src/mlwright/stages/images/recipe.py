"""The texts of a build context: Dockerfile and .dockerignore.

Every instruction is in exec form, so that a base without a shell will do, and none needs BuildKit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

USER: Final = 10001
PORT: Final = 8501
VENV: Final = "/opt/venv"
PLACE: Final = "/opt/endpoint"
STATE: Final = "/var/lib/mlwright"
_ABOVE, _, _NAME = STATE.rpartition("/")
_DRAFT: Final = f"/build/state/{_NAME}"
PYTHON: Final = f"{VENV}/bin/python"
BYTECODE: Final = f"{VENV}/bytecode"
_WORDS: Final = (PYTHON, "-I", "-X", f"pycache_prefix={BYTECODE}", "-m")
CHECK: Final = (*_WORDS, "mlwright.doors.up.container_check")
"""What tries a container from inside; see ``doors.up.container_check``."""
_ENTRY: Final = (*_WORDS, "mlwright.doors.up.container")
_TRIM: Final = (*_WORDS, "mlwright.doors.up.trimming", VENV, _DRAFT)

IGNORED: Final = "*\n!endpoint\n!requirements.txt\n!wheels\n"
"""The .dockerignore: what the build reads, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a Dockerfile says. ``libraries`` are packages of Debian."""

    base: str
    hashed: bool
    offline: bool
    labels: Mapping[str, str]
    libraries: Sequence[str] = ()


def dockerfile(recipe: Recipe) -> str:
    """The text: a stage that makes the environment, and one that holds it, the endpoint, and nothing to build with."""
    lines = [
        f"FROM {recipe.base} AS build",
        "WORKDIR /build",
        *(
            []
            if recipe.offline
            else ["# An index of your own: --build-arg PIP_INDEX_URL", "ARG PIP_INDEX_URL"]
        ),
        _run("python", "-m", "venv", "--without-pip", VENV),
        "COPY requirements.txt ./",
        "COPY wheels/ ./wheels/",
        _run(*_install(recipe), "--requirement", "requirements.txt"),
        _run(*_TRIM),
        "",
        f"FROM {recipe.base}",
        *_apt(recipe.libraries),
        f"COPY --from=build {VENV} {VENV}",
        # What lies in a folder gets the owner; the folder that is copied itself may not.
        f"COPY --from=build --chown={USER}:{USER} /build/state/ {_ABOVE}/",
        f"COPY endpoint/ {PLACE}/",
        f'ENV PATH="{VENV}/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPYCACHEPREFIX="{BYTECODE}"',
        *_labels(recipe.labels),
        f"WORKDIR {STATE}",
        f"VOLUME {STATE}",
        f"EXPOSE {PORT}",
        f"USER {USER}",
        "STOPSIGNAL SIGTERM",
        "HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \\",
        f"  CMD {json.dumps([*CHECK, 'health'])}",
        f"ENTRYPOINT {json.dumps(_ENTRY)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _install(recipe: Recipe) -> list[str]:
    # The base's own pip installs into the environment, which has none: it is not needed there.
    install = ["python", "-m", "pip", "--python", PYTHON, "install", "--disable-pip-version-check"]
    install += ["--no-cache-dir", "--no-compile", "--no-deps"]
    where = ["--no-index", "--find-links", "wheels"] if recipe.offline else ["--only-binary", ":all:"]
    return [*install, *where, *(["--require-hashes"] if recipe.hashed else [])]


def _run(*words: str) -> str:
    return f"RUN {json.dumps(words)}"


def _apt(libraries: Sequence[str]) -> list[str]:
    if not libraries:
        return []
    names = " ".join(sorted(libraries))
    install = f"apt-get install --yes --no-install-recommends {names}"
    return [
        "# hadolint ignore=DL3008",
        f"RUN apt-get update && {install} && rm -rf /var/lib/apt/lists/*",
    ]


def _labels(labels: Mapping[str, str]) -> list[str]:
    if not labels:
        return []
    pairs = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(labels.items())]
    joined = " \\\n  ".join(each.replace("$", "\\$") for each in pairs)
    return [f"LABEL {joined}"]
