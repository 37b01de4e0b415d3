"""Plays a page: types its console blocks in a new folder and compares what comes with what the page shows.

Shown lines must come in their order; what the page leaves out it may leave out. ``…`` stands for anything. Numbers
with a point may differ by a little: another processor sums in another order. The ports 8500, 8501, 8502 and 8765
are free ones.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
_RULE = re.compile(r"[\s─━]*")
_DECIMAL = re.compile(r"(\d+\.\d+)")
_PATIENCE_S = 120.0
_SHOWN_PORTS = ("8500", "8501", "8765", "8502")


def differences(shown: str, came: str) -> list[str]:
    """The shown lines that did not come, in order."""
    waiting = [line.split() for line in came.splitlines() if not _RULE.fullmatch(line)]
    absent = []
    for line in shown.splitlines():
        words = line.split()
        if _RULE.fullmatch(line) or words == ["…"]:
            continue
        at = next((place for place, found in enumerate(waiting) if _same(words, found)), None)
        if at is None:
            absent.append(line)
        else:
            waiting = waiting[at + 1 :]
    return absent


def _same(words: list[str], found: list[str]) -> bool:
    if not words:
        return not found
    if words[0] == "…":
        return any(_same(words[1:], found[skipped:]) for skipped in range(len(found) + 1))
    return bool(found) and _same_word(words[0], found[0]) and _same(words[1:], found[1:])


def _same_word(word: str, found: str) -> bool:
    ours, theirs = _DECIMAL.split(word), _DECIMAL.split(found)
    if "…" in word:
        return re.fullmatch(".*".join(map(re.escape, word.split("…"))), found) is not None
    if len(ours) != len(theirs) or ours[::2] != theirs[::2]:
        return False
    pairs = zip(map(float, ours[1::2]), map(float, theirs[1::2]), strict=True)
    return all(abs(one - other) <= max(0.02, 0.05 * abs(one)) for one, other in pairs)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@dataclass(slots=True)
class Player:
    """One reader at one terminal, with a second one for what runs in the background."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(len(_SHOWN_PORTS)))
    background: list[subprocess.Popen[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    programs: Path = field(init=False)

    def __post_init__(self) -> None:
        self.programs = self.folder / ".bin"
        self._make_programs()

    def play(self, blocks, *, verify: bool = False) -> int:
        """Do what the blocks say; returns how many commands were typed.

        ``verify``: also what needs programs or a network that the suite does without.
        """
        typed = 0
        try:
            for block in blocks:
                if "not run" in block.notes or ("verify" in block.notes and not verify):
                    continue
                if "write" in block.notes:
                    text = self._at_our_ports(block.text)
                    (self.folder / block.notes["write"]).write_text(text, encoding="utf-8")
                elif block.language == "console":
                    typed += self._type_all(block)
        finally:
            self.close()
        return typed

    def close(self) -> None:
        for process in self.background:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)

    def _type_all(self, block) -> int:
        steps = _steps(self._at_our_ports(block.text))
        assert steps, f"{block.id}: a console block needs a line that begins with '$ '"
        for command, shown in steps:
            if "background" in block.notes:
                self._start(command, block.id, block.notes["background"])
                continue
            came = self.type(command, block.id)
            absent = differences(shown, came)
            assert not absent, (
                f"{block.id}: $ {command}\nnot shown:\n" + "\n".join(absent) + f"\n\ncame:\n{came}"
            )
        return len(steps)

    def type(self, command: str, where: str = "a test") -> str:
        """Type one command; returns what came."""
        self._give_ports()
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve()
            assert self.folder.is_dir(), f"{where}: {command}"
            return ""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
        )
        assert done.returncode == 0, f"{where}: $ {command}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def _start(self, command: str, where: str, answers: str) -> None:
        """Start what runs in the background. ``answers``: nothing, a path, or a port and a path."""
        self._give_ports()
        given, slash, rest = self._at_our_ports(answers).partition("/")
        path = slash + rest
        port = int(given) if given else self.ports[2] if path else self.ports[1]
        with (self.folder / "background.log").open("w") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec env {command}"],
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
                text=True,
            )
        self.background.append(process)
        deadline = time.monotonic() + _PATIENCE_S
        while not _ready(port, path):
            said = (self.folder / "background.log").read_text()
            assert process.poll() is None, f"{where}: $ {command}\n{said}"
            assert time.monotonic() < deadline, f"{where}: $ {command} does not serve\n{said}"
            time.sleep(0.1)

    def _make_programs(self) -> None:
        """``mlwright`` and ``python`` are those of this test run, whatever is on PATH."""
        self.programs.mkdir(exist_ok=True)
        main = "import sys; sys.argv[0] = 'mlwright'; from mlwright.doors.cli.main import main; main()"
        for name, words in {"python": [], "mlwright": ["-c", main]}.items():
            line = shlex.join([sys.executable, *words])
            (self.programs / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
            (self.programs / name).chmod(0o755)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLWRIGHT_")}
        path = os.pathsep.join(filter(None, [str(SRC), os.environ.get("PYTHONPATH")]))
        programs = f"{self.programs}{os.pathsep}{kept['PATH']}"
        ours = {"PATH": programs, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "500"}
        return {**kept, **ours, **self.environment}

    def _give_ports(self) -> None:
        """Another project may be served on this machine while the tests run."""
        settings = self.folder / "mlwright.toml"
        if settings.exists() and "[serve]" not in settings.read_text(encoding="utf-8"):
            page, inference, *_ = self.ports
            with settings.open("a", encoding="utf-8") as file:
                file.write(f"\n[serve]\nport = {page}\ninference_port = {inference}\n")

    def _at_our_ports(self, text: str) -> str:
        for shown, ours in zip(_SHOWN_PORTS, self.ports, strict=True):
            text = text.replace(shown, str(ours))
        return text


def _steps(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the lines shown after it. A ``\\`` at the end goes on."""
    steps: list[tuple[str, list[str]]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            steps.append((line.removeprefix("$ "), []))
        else:
            assert steps, f"the block begins with output: {line!r}"
            steps[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in steps]


def _ready(port: int, path: str) -> bool:
    """Whether an inference process is ready; with a path, whether anything answers there at all."""
    address = f"http://127.0.0.1:{port}{path or '/v2/health/ready'}"
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return bool(path) and error.code < 500 and error.code != 404
    except OSError:
        return False
