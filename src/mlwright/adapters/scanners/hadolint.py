"""hadolint (and the ShellCheck within it) on Dockerfiles: https://github.com/hadolint/hadolint."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mlwright.adapters.scanners.program import TIME_LIMIT_S, Copies, ask, copied, find_program, run
from mlwright.adapters.scanners.reading import INSTALL, in_order, not_read, quoted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan

NAME: Final = "hadolint"
TOPIC: Final = "dockerfiles"
SIZE_LIMIT: Final = 100_000
NESTING_LIMIT: Final = 200

# Not Dockerfiles: what stands next to one, and templates of one, which are none before they are filled in.
_OTHER: Final = (
    ".dockerignore",
    ".md",
    ".rst",
    ".txt",
    ".py",
    ".sh",
    ".json",
    ".yaml",
    ".yml",
    ".j2",
    ".jinja",
    ".jinja2",
    ".tmpl",
    ".tpl",
    ".template",
    ".in",
    ".erb",
    ".mustache",
)
# Its parser takes the style rules' word "style" for what is a matter of taste.
_SEVERITIES: Final = {"error": Severity.ERROR, "warning": Severity.WARNING}


class _Result(msgspec.Struct):
    code: str
    file: str
    level: str
    line: int
    message: str


_RESULTS: Final = msgspec.json.Decoder(list[_Result])


class HadolintScanner:
    """Looks at Dockerfiles. Comments that switch a rule off in place are honoured, configuration files are not.

    Args:
        program: the program to run; looked for where there is none given.
        limit_s: for all files together, in seconds.
    """

    topic = TOPIC

    def __init__(self, program: Path | None = None, *, limit_s: float = TIME_LIMIT_S) -> None:
        self._program = program
        self._limit_s = limit_s

    def wants(self, path: str, size: int) -> bool:
        """Dockerfiles and Containerfiles, also ``Dockerfile.gpu`` and ``gpu.dockerfile``."""
        name = path.rpartition("/")[2].lower()
        named = name.split(".")[0] in ("dockerfile", "containerfile") or name.endswith(".dockerfile")
        return named and not name.endswith(_OTHER) and 0 < size <= SIZE_LIMIT

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """See ``Scanner.scan``."""
        program = self._program or find_program(NAME, root)
        if program is None:
            return Scan(
                scanner=NAME, version="", topic=TOPIC, missing="hadolint is not installed", install=INSTALL
            )
        with copied(root, paths, SIZE_LIMIT) as copies:
            if not copies.paths and not copies.left_out:
                return Scan(scanner=NAME, version="", topic=TOPIC)
            version = _version(run([str(program), "--version"], copies.empty, self._limit_s))
            if version is None:
                return Scan(
                    scanner=NAME, version="", topic=TOPIC, missing="hadolint does not run", install=INSTALL
                )
            return self._look(program, version, copies)

    def _look(self, program: Path, version: str, copies: Copies) -> Scan:
        hits = [not_read(path, "too long, or no UTF-8 text") for path in copies.left_out]
        deep = {copy for copy in copies.paths if _nesting(copy.read_bytes()) > NESTING_LIMIT}
        hits += [not_read(copies.paths[copy], "nested too deeply") for copy in deep]
        shallow = Copies(
            folder=copies.folder,
            empty=copies.empty,
            paths={copy: path for copy, path in copies.paths.items() if copy not in deep},
            left_out=(),
        )
        # With no home and an empty working folder there is no configuration to be found.
        first = [str(program), "--no-fail", "--no-color", "--format", "json"]
        said = ask(shallow, lambda files: first + [str(file) for file in files], self._limit_s)
        for output in said.outputs:
            try:
                hits += _hits(_RESULTS.decode(output), shallow)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Scan(
                    scanner=NAME,
                    version=version,
                    topic=TOPIC,
                    missing="hadolint's answer cannot be read",
                    install=INSTALL,
                )
        hits += [not_read(copies.paths[copy], "hadolint failed or took too long") for copy in said.failed]
        looked_at = len(shallow.paths) - len(said.failed)
        return Scan(scanner=NAME, version=version, topic=TOPIC, looked_at=looked_at, hits=in_order(hits))


def _hits(results: Iterable[_Result], copies: Copies) -> list[Hit]:
    return [
        Hit(
            rule=quoted(result.code, 20),
            message=quoted(result.message, 200),
            severity=_SEVERITIES.get(result.level, Severity.INFO),
            location=Location(path=path, line=max(result.line, 1)),
        )
        for result in results
        if (path := copies.original(result.file)) is not None
    ]


def _version(said: bytes | None) -> str | None:
    if said is None:
        return None
    words = said.decode("utf-8", "replace").split()
    return quoted(words[-1], 20) if words else ""


def _nesting(data: bytes) -> int:
    """How deep brackets are nested at most; its parser takes exponential time on deep nesting."""
    depth = deepest = 0
    for byte in data:
        if byte in b"({[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b")}]" and depth:
            depth -= 1
    return deepest
