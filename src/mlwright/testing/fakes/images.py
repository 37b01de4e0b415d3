"""An engine that keeps images in memory and runs nothing, and packages that a test names."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from mlwright.errors import EnvironmentFailed, Fault, NotFound
from mlwright.model.images import BuiltImage, Ended, ImageContext, Pin


class MemoryEngine:
    """Builds whatever has a Dockerfile, and answers every question as it was told to.

    Args:
        says: what a container writes to every command; a check of ours that went well unless given.
        code: what a container's programs end with.
        exit_code: what a container ends with when it is stopped.
    """

    name = "memory"

    def __init__(self, says: str = "", code: int = 0, exit_code: int = 0) -> None:
        self.images: dict[str, ImageContext] = {}
        self.running: dict[str, str] = {}
        self.asked: list[tuple[str, ...]] = []
        well = {"ready_s": 0.5, "rows": 1, "compared": 1, "greatest_difference": 0.0}
        self._says = says or json.dumps(well)
        self._code = code
        self._exit_code = exit_code
        self._started = 0

    def command(self, context: ImageContext) -> str:
        """What would be typed; see ``ImageEngine.command``."""
        return f"memory build --tag {context.tag} {context.folder}"

    def build(self, context: ImageContext, say: Callable[[str], None]) -> BuiltImage:
        """Keep the context; see ``ImageEngine.build``."""
        recipe = context.folder / "Dockerfile"
        if not recipe.is_file() or "FROM " not in recipe.read_text(encoding="utf-8"):
            raise EnvironmentFailed("memory could not build the image", where=str(context.folder))
        for line in recipe.read_text(encoding="utf-8").splitlines():
            say(line)
        self.images[context.tag] = context
        digest = sha256(recipe.read_bytes()).hexdigest()
        return BuiltImage(
            tag=context.tag,
            id=f"sha256:{digest}",
            engine=self.name,
            bytes=context.bytes,
            own_bytes=context.bytes,
            seconds=0.1,
        )

    def start(self, image: str) -> str:
        """Note a container; see ``ImageEngine.start``."""
        if image not in self.images:
            raise NotFound.named("image", image, self.images)
        self._started += 1
        container = f"container-{self._started}"
        self.running[container] = image
        return container

    def ask(self, container: str, command: Sequence[str]) -> Ended:
        """Say what it was told to; see ``ImageEngine.ask``."""
        if container not in self.running:
            return Ended(code=1, out="", err=f"no such container: {container}")
        self.asked.append(tuple(command))
        return Ended(code=self._code, out=self._says)

    def stop(self, container: str, grace_s: float) -> Ended:
        """Forget the container; see ``ImageEngine.stop``."""
        there = self.running.pop(container, None)
        return Ended(code=-1 if there is None else self._exit_code, out="ready 8501\n")


class NamedPackages:
    """Packages that only have names, versions, and what each needs.

    Args:
        versions: version by name.
        needs: the names that a package needs.
        hashed: whether the index is known.
    """

    def __init__(
        self,
        versions: Mapping[str, str],
        needs: Mapping[str, Sequence[str]] | None = None,
        *,
        hashed: bool = True,
    ) -> None:
        self._versions = dict(versions)
        self._needs = needs or {}
        self._hashed = hashed

    def names(self) -> tuple[str, ...]:
        """All; see ``Packages.names``."""
        return tuple(sorted(self._versions))

    def pins(self, roots: Sequence[str], python: str) -> tuple[Pin, ...]:
        """Follow what is needed; see ``Packages.pins``."""
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._needs.get(name, ())
        missing = sorted(found - self._versions.keys())
        if missing:
            raise EnvironmentFailed(
                "not all packages are installed here",
                faults=[Fault(where=name, what="is not installed here") for name in missing],
            )
        return tuple(Pin(name=name, version=self._versions[name]) for name in sorted(found))

    def lock(self, pins: Sequence[Pin], python: str, platform: str) -> str | None:
        """A hash made of the pin; see ``Packages.lock``."""
        if not self._hashed:
            return None
        return "".join(f"{each} --hash=sha256:{sha256(str(each).encode()).hexdigest()}\n" for each in pins)

    def wheel(self, name: str, folder: Path) -> Path:
        """A file with the name of a wheel; see ``Packages.wheel``."""
        if name not in self._versions:
            raise EnvironmentFailed(f"{name} is not installed here")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name.replace('-', '_')}-{self._versions[name]}-py3-none-any.whl"
        file.write_bytes(f"{name} {self._versions[name]}".encode())
        return file
