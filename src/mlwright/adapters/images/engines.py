"""Docker and Podman by their command lines, which are the same where they are used here."""

import json
import os
import shlex
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from mlwright.errors import EnvironmentFailed, EnvironmentUndecided, NotFound
from mlwright.model.images import BuiltImage, Ended, ImageContext

ENGINES: Final = ("docker", "podman")
_INDEX: Final = ("PIP_INDEX_URL",)
"""Variables of this process that the build is told of, where they are set: by name, so that no log shows them."""
_SHORT_S: Final = 60.0
_LAST_LINES: Final = 20
_LEAST_RIGHTS: Final = (
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
    "--tmpfs=/var/lib/mlwright",
)


class CommandEngine:
    """See ``ImageEngine``.

    Args:
        program: the words that start it.
        network: what builds are given where they need one, such as ``host``; empty: the engine's own choice.
    """

    def __init__(self, program: Sequence[str], *, network: str = "") -> None:
        self._program = tuple(program)
        self._network = network

    @property
    def name(self) -> str:
        """The program's name."""
        return os.path.basename(self._program[0])

    def command(self, context: ImageContext) -> str:
        """The command line; see ``ImageEngine.command``."""
        return shlex.join([self.name, *self._words(context)])

    def build(self, context: ImageContext, say: Callable[[str], None]) -> BuiltImage:
        """Build it; see ``ImageEngine.build``."""
        began = time.monotonic()
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with self._started([*self._program, *self._words(context)]) as process:
            assert process.stdout is not None
            for line in process.stdout:
                last.append(line.rstrip())
                say(line.rstrip())
        if process.returncode:
            self._require_running()
            raise EnvironmentFailed(
                f"{self.name} could not build the image",
                where=str(context.folder),
                why="\n".join(last)[-2_000:],
                next_command=self.command(context),
            )
        seconds = time.monotonic() - began
        found = self._inspect(context.tag)
        base = self._inspect(context.base)
        if found is None:
            raise EnvironmentFailed(f"{self.name} built no image {context.tag}", where=str(context.folder))
        size = _size(found)
        return BuiltImage(
            tag=context.tag,
            id=str(found.get("Id", "")),
            engine=self.name,
            bytes=size,
            own_bytes=None if base is None else size - _size(base),
            seconds=seconds,
        )

    def start(self, image: str) -> str:
        """Start a container that can do as little as possible; see ``ImageEngine.start``."""
        if self._inspect(image) is None:
            self._require_running()
            raise NotFound(f"{self.name} has no image {image!r}", next_command=f"{self.name} images")
        done = self._run("run", "--detach", "--pull=never", *_LEAST_RIGHTS, image)
        if done.code:
            raise EnvironmentFailed(
                f"{self.name} could not start a container of {image}", why=done.err.strip()[-2_000:]
            )
        return done.out.strip().splitlines()[-1]

    def ask(self, container: str, command: Sequence[str]) -> Ended:
        """Run a program inside; see ``ImageEngine.ask``."""
        return self._run("exec", container, *command, seconds=5 * _SHORT_S)

    def stop(self, container: str, grace_s: float) -> Ended:
        """End and remove it; see ``ImageEngine.stop``."""
        self._run("stop", "--time", str(max(1, round(grace_s))), container, seconds=grace_s + _SHORT_S)
        ended = self._run("wait", container)
        said = self._run("logs", container)
        self._run("rm", "--force", "--volumes", container)
        words = ended.out.split()
        return Ended(code=int(words[-1]) if words and words[-1].isdigit() else -1, out=said.out, err=said.err)

    def _words(self, context: ImageContext) -> list[str]:
        platform = ["--platform", context.platform] if context.platform else []
        network = "none" if context.offline else self._network
        networks = ["--network", network] if network else []
        known = [] if context.offline else [each for each in _INDEX if os.environ.get(each)]
        arguments = [word for each in known for word in ("--build-arg", each)]
        return ["build", *platform, *networks, *arguments, "--tag", context.tag, str(context.folder)]

    def _inspect(self, image: str) -> dict[str, object] | None:
        done = self._run("image", "inspect", image)
        try:
            found = json.loads(done.out) if done.code == 0 else []
        except ValueError:
            found = []
        return found[0] if found and isinstance(found[0], dict) else None

    def _require_running(self) -> None:
        done = self._run("info")
        if done.code:
            raise EnvironmentUndecided(
                f"{self.name} does not answer",
                why=done.err.strip().splitlines()[-1][:500] if done.err.strip() else None,
                next_command=f"{self.name} info",
            )

    def _started(self, words: Sequence[str]) -> "subprocess.Popen[str]":
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise EnvironmentUndecided(f"{self.name} cannot be started: {error.strerror}") from error

    def _run(self, *words: str, seconds: float = _SHORT_S) -> Ended:
        try:
            done = subprocess.run(
                [*self._program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentUndecided(f"{self.name} {words[0]} took longer than {seconds:.0f} s") from None
        except OSError as error:
            raise EnvironmentUndecided(f"{self.name} cannot be started: {error.strerror}") from error
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def find_engine(name: str = "", *, network: str = "") -> CommandEngine | None:
    """The engine of that name, or the first that is on PATH; None: there is none.

    Raises:
        EnvironmentUndecided: the one that was named is not on PATH.
    """
    for each in (name,) if name else ENGINES:
        found = shutil.which(each)
        if found is not None:
            return CommandEngine([found], network=network)
    if name:
        raise EnvironmentUndecided(
            f"{name} is not on PATH",
            next_command="mlwright build image … --engine none  # writes the folder alone",
        )
    return None


def _size(found: dict[str, object]) -> int:
    size = found.get("Size")
    return size if isinstance(size, int) else 0
