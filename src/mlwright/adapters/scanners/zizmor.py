"""zizmor on GitHub workflows and actions, without asking anybody on the network: https://docs.zizmor.sh."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mlwright.adapters.scanners.program import TIME_LIMIT_S, Copies, ask, copied, find_program, run
from mlwright.adapters.scanners.reading import INSTALL, in_order, not_read, quoted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan

NAME: Final = "zizmor"
TOPIC: Final = "workflows"
SIZE_LIMIT: Final = 500_000
FOLDER: Final = ".github/workflows/"

# --persona regular: what its authors stand by. --no-config: a repository cannot switch rules off for us.
_OPTIONS: Final = (
    "--offline",
    "--no-config",
    "--no-exit-codes",
    "--no-progress",
    "--quiet",
    "--color=never",
    "--persona=regular",
    "--format=json-v1",
)
_SEVERITIES: Final = {"High": Severity.ERROR, "Medium": Severity.WARNING}
_LOWER: Final = {Severity.ERROR: Severity.WARNING, Severity.WARNING: Severity.INFO}


class _Local(msgspec.Struct):
    verbatim_path: str


class _Key(msgspec.Struct, rename="pascal"):
    local: _Local | None = None


class _Symbolic(msgspec.Struct):
    key: _Key
    kind: str
    annotation: str = ""


class _Point(msgspec.Struct):
    row: int


class _Span(msgspec.Struct):
    start_point: _Point


class _Concrete(msgspec.Struct):
    location: _Span


class _Place(msgspec.Struct):
    symbolic: _Symbolic
    concrete: _Concrete


class _Determinations(msgspec.Struct):
    confidence: str
    severity: str


class _Finding(msgspec.Struct):
    ident: str
    desc: str
    determinations: _Determinations
    locations: list[_Place]
    ignored: bool = False


_FINDINGS: Final = msgspec.json.Decoder(list[_Finding])


class ZizmorScanner:
    """Looks at GitHub workflows and action definitions. Comments that excuse a place are honoured.

    Its severities high, medium and the rest are ours error, warning and info; where its confidence is low, one less.

    Args:
        program: the program to run; looked for where there is none given.
        limit_s: for all files together, in seconds.
    """

    topic = TOPIC

    def __init__(self, program: Path | None = None, *, limit_s: float = TIME_LIMIT_S) -> None:
        self._program = program
        self._limit_s = limit_s

    def wants(self, path: str, size: int) -> bool:
        """The workflows that GitHub would run, and definitions of actions."""
        folder, _, name = path.rpartition("/")
        workflow = folder + "/" == FOLDER and name.endswith((".yml", ".yaml"))
        return (workflow or name in ("action.yml", "action.yaml")) and 0 < size <= SIZE_LIMIT

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """See ``Scanner.scan``."""
        program = self._program or find_program(NAME, root)
        if program is None:
            return Scan(
                scanner=NAME, version="", topic=TOPIC, missing="zizmor is not installed", install=INSTALL
            )
        with copied(root, paths, SIZE_LIMIT) as copies:
            if not copies.paths and not copies.left_out:
                return Scan(scanner=NAME, version="", topic=TOPIC)
            version = run([str(program), "--version"], copies.empty, self._limit_s)
            if version is None:
                return Scan(
                    scanner=NAME, version="", topic=TOPIC, missing="zizmor does not run", install=INSTALL
                )
            words = version.decode("utf-8", "replace").split() or [""]
            return self._look(program, quoted(words[-1], 20), copies)

    def _look(self, program: Path, version: str, copies: Copies) -> Scan:
        hits = [not_read(path, "too long, or no UTF-8 text") for path in copies.left_out]
        first = [str(program), *_OPTIONS]
        said = ask(copies, lambda files: first + [str(file) for file in files], self._limit_s)
        for output in said.outputs:
            try:
                hits += _hits(_FINDINGS.decode(output), copies)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Scan(
                    scanner=NAME,
                    version=version,
                    topic=TOPIC,
                    missing="zizmor's answer cannot be read",
                    install=INSTALL,
                )
        hits += [not_read(copies.paths[copy], "zizmor cannot read it") for copy in said.failed]
        looked_at = len(copies.paths) - len(said.failed)
        return Scan(scanner=NAME, version=version, topic=TOPIC, looked_at=looked_at, hits=in_order(hits))


def _hits(findings: Iterable[_Finding], copies: Copies) -> list[Hit]:
    hits = []
    for finding in findings:
        severity = _SEVERITIES.get(finding.determinations.severity, Severity.INFO)
        if finding.determinations.confidence == "Low":
            severity = _LOWER.get(severity, Severity.INFO)
        for place in finding.locations:
            local = place.symbolic.key.local
            path = copies.original(local.verbatim_path) if local is not None else None
            if finding.ignored or path is None or place.symbolic.kind != "Primary":
                continue
            hits.append(
                Hit(
                    rule=quoted(finding.ident, 50),
                    message=quoted(f"{finding.desc}: {place.symbolic.annotation}", 200),
                    severity=severity,
                    location=Location(path=path, line=place.concrete.location.start_point.row + 1),
                )
            )
    return hits
