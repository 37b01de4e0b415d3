"""What a run runs on, found out without asking the network and without reading environment variables."""

import platform
import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from blake3 import blake3

from mlwright.model.ids import Digest
from mlwright.model.tracking import Environment

_LOCKS = ("uv.lock", "poetry.lock", "requirements*.txt")
_GIT_SECONDS = 10


def capture_environment(root: Path, seed: int, code_digest: Digest) -> Environment:
    """Describe this process and the project in ``root``.

    Package names are normalised as PEP 503 says. Files of the state folder ``.mlwright`` do not make the
    working tree dirty. Whatever git cannot say is None; nothing is raised.

    Args:
        root: the project's folder.
        seed: the seed that the run draws from.
        code_digest: digest of the code that runs.
    """
    inside = _git(root, "rev-parse", "--is-inside-work-tree") == "true"
    changes = _git(root, "status", "--porcelain", "--", ".", ":(exclude).mlwright") if inside else None
    return Environment(
        python=platform.python_version(),
        system=platform.platform(),
        packages=_packages(),
        lock_digest=lock_digest(root),
        git_commit=_git(root, "rev-parse", "--verify", "--quiet", "HEAD") if inside else None,
        git_branch=_git(root, "symbolic-ref", "--quiet", "--short", "HEAD") if inside else None,
        git_dirty=None if changes is None else bool(changes),
        code_digest=code_digest,
        seed=seed,
    )


def lock_digest(root: Path) -> Digest | None:
    """Digest over the names and contents of the lock files in a folder, or None when it has none.

    Lock files are ``uv.lock``, ``poetry.lock`` and ``requirements*.txt``.
    """
    files = sorted(path for pattern in _LOCKS for path in root.glob(pattern) if path.is_file())
    if not files:
        return None
    whole = blake3()
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        # Lengths keep one file's end from passing for the next one's beginning.
        whole.update(f"{path.name}\0{len(content)}\0".encode())
        whole.update(content)
    return Digest(f"blake3:{whole.hexdigest()}")


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for each in distributions():
        # A half-removed package has no name; the first of two on the path is the one that is imported.
        said = each.metadata  # read and parsed at each asking
        if name := said["Name"]:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), said["Version"] or "unknown")
    return dict(sorted(found.items()))


def _git(root: Path, *arguments: str) -> str | None:
    # A repository's own settings must not make git run programs here or touch the index.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_GIT_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
