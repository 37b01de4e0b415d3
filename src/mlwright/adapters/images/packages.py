"""The packages of this environment: what needs what, in which versions, and with which hashes."""

import platform as machine
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mlwright.adapters.images.wheels import holds_its_sources, pack_installed, pack_source
from mlwright.errors import EnvironmentFailed, EnvironmentUndecided, Fault, MissingExtra
from mlwright.model.images import Ended, Pin

_PLATFORMS: Final = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}
"""What an engine calls a platform, and what uv does: Debian's images since 2019 have this C library or a newer one."""
_MACHINES: Final = {
    "x86_64": "linux/amd64",
    "amd64": "linux/amd64",
    "aarch64": "linux/arm64",
    "arm64": "linux/arm64",
}
_SOURCE: Final = "mlwright"
_HASHED: Final = (
    "--quiet",
    "--no-deps",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--only-binary",
    ":all:",
)


def own_platform() -> str:
    """What an engine calls the platform of this machine's containers."""
    return _MACHINES.get(machine.machine().lower(), f"linux/{machine.machine().lower()}")


class InstalledPackages:
    """See ``Packages``.

    Args:
        sources: the folder of mlwright's own code.
        version: mlwright's own.
        uv: runs uv with these words; None: there is no uv. It may raise as finding and running uv does.
    """

    def __init__(
        self, sources: Path, version: str, uv: Callable[[Sequence[str]], Ended] | None = None
    ) -> None:
        self._sources = sources
        self._version = version
        self._uv = uv

    def names(self) -> tuple[str, ...]:
        """All that are installed; see ``Packages.names``."""
        return tuple(
            sorted(
                {
                    canonicalize_name(each.metadata["Name"])
                    for each in distributions()
                    if each.metadata["Name"]
                }
            )
        )

    def pins(self, roots: Sequence[str], python: str) -> tuple[Pin, ...]:
        """Follow what each package says it needs; see ``Packages.pins``."""
        found: dict[str, Pin] = {}
        faults: list[Fault] = []
        waiting = [(each, "the endpoint") for each in roots]
        seen: set[tuple[str, str]] = set()
        while waiting:
            wanted, by = waiting.pop()
            needed = Requirement(wanted)
            name = canonicalize_name(needed.name)
            try:
                there = distribution(name)
            except PackageNotFoundError:
                faults.append(Fault(where=name, what=f"is not installed here, and {by} needs it"))
                continue
            found[name] = Pin(name=name, version=there.version)
            for extra in ("", *sorted(needed.extras)):
                if (name, extra) not in seen:
                    seen.add((name, extra))
                    waiting += [(each, name) for each in _needs(there, extra, python)]
        if faults:
            names = " ".join(sorted({each.where for each in faults}))
            raise EnvironmentFailed(
                "not all packages of the endpoint are installed here",
                why="an image gets the versions that were tried",
                faults=faults[:20],
                next_command=f"pip install {names}",
            )
        return tuple(found[name] for name in sorted(found))

    def lock(self, pins: Sequence[Pin], python: str, platform: str) -> str | None:
        """Have uv ask the index; see ``Packages.lock``."""
        if self._uv is None:
            return None
        with TemporaryDirectory(prefix="mlwright-lock-") as name:
            wanted = Path(name) / "requirements.in"
            wanted.write_text("".join(f"{each}\n" for each in pins), encoding="utf-8")
            surroundings = ("--python-version", python, "--python-platform", _platform(platform))
            try:
                done = self._uv(["pip", "compile", str(wanted), *_HASHED, *surroundings])
            except (EnvironmentUndecided, MissingExtra):
                return None
        locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", done.out, re.MULTILINE))
        complete = {canonicalize_name(each) for each in locked} == {each.name for each in pins}
        return done.out if done.code == 0 and complete and "--hash=" in done.out else None

    def wheel(self, name: str, folder: Path) -> Path:
        """Pack its files again; see ``Packages.wheel``."""
        try:
            found = distribution(name)
        except PackageNotFoundError:
            found = None
        if name == _SOURCE and (found is None or not holds_its_sources(found, _SOURCE)):
            return pack_source(name, self._version, self._sources, found, folder)
        if found is None:
            raise EnvironmentFailed(f"{name} is not installed here", next_command=f"pip install {name}")
        return pack_installed(found, folder)


def _needs(found: Distribution, extra: str, python: str) -> Iterable[str]:
    """What a package needs on Linux; with an extra, what it needs besides."""
    surroundings = {
        "extra": extra,
        "python_version": python,
        "python_full_version": f"{python}.0" if python != _running() else machine.python_version(),
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    for line in found.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue  # written before the rules were; whatever installed it could not follow it either
        if needed.marker is None:
            if not extra:
                yield line
        elif needed.marker.evaluate(surroundings) and (
            not extra or not needed.marker.evaluate({**surroundings, "extra": ""})
        ):
            needed.marker = None
            yield str(needed)


def _running() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _platform(asked: str) -> str:
    return _PLATFORMS.get(asked or own_platform(), "linux")
