"""checkov on Terraform, CloudFormation, ARM, Bicep and Kubernetes files: https://www.checkov.io.

It is large and takes seconds to start: no extra of ours brings it, and it is used only where it is installed.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mlwright.adapters.scanners.program import TIME_LIMIT_S, Copies, copied, find_program, run
from mlwright.adapters.scanners.reading import Folder, in_order, not_read, quoted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan

NAME: Final = "checkov"
TOPIC: Final = "infrastructure"
INSTALL: Final = "pipx install checkov  # in an environment of its own: it pins many packages"
SIZE_LIMIT: Final = 500_000

# Only frameworks that are read and never run: Helm and Kustomize would start programs, modules would be downloaded.
_OPTIONS: Final = (
    "--framework",
    "terraform",
    "cloudformation",
    "arm",
    "bicep",
    "kubernetes",
    "--output",
    "json",
    "--quiet",
    "--compact",
    "--soft-fail",
    "--skip-download",
    "--download-external-modules",
    "false",
)
# Without an account with its makers, checkov gives no severities; a rule that is not kept is then a warning.
_SEVERITIES: Final = {
    "CRITICAL": Severity.ERROR,
    "HIGH": Severity.ERROR,
    "LOW": Severity.INFO,
    "INFO": Severity.INFO,
}
# Every YAML and JSON file may be one of these; those that say none of it would cost seconds for nothing.
_SIGNS: Final = (b"apiVersion", b"AWSTemplateFormatVersion", b"AWS::", b"deploymentTemplate.json")


class _Check(msgspec.Struct):
    check_id: str
    check_name: str = ""
    file_abs_path: str = ""
    file_line_range: list[int] | None = None
    resource: str = ""
    severity: str | None = None


class _Results(msgspec.Struct):
    failed_checks: list[_Check] = []


class _Summary(msgspec.Struct):
    checkov_version: str = ""


class _Report(msgspec.Struct):
    results: _Results = msgspec.field(default_factory=_Results)
    summary: _Summary = msgspec.field(default_factory=_Summary)
    checkov_version: str = ""


_REPORTS: Final = msgspec.json.Decoder(_Report | list[_Report])


class CheckovScanner:
    """Looks at definitions of infrastructure. Comments that skip a check in place are honoured.

    Args:
        program: the program to run; looked for where there is none given.
        limit_s: for all files together, in seconds.
    """

    topic = TOPIC

    def __init__(self, program: Path | None = None, *, limit_s: float = TIME_LIMIT_S) -> None:
        self._program = program
        self._limit_s = limit_s

    def wants(self, path: str, size: int) -> bool:
        """Terraform and Bicep, and every YAML and JSON file that may be CloudFormation, ARM or Kubernetes."""
        hidden = any(part.startswith(".") for part in path.split("/"))
        known = path.endswith((".tf", ".tf.json", ".tfvars", ".bicep", ".yaml", ".yml", ".json", ".template"))
        return known and not hidden and 0 < size <= SIZE_LIMIT

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """See ``Scanner.scan``."""
        program = self._program or find_program(NAME, root)
        if program is None:
            return Scan(
                scanner=NAME, version="", topic=TOPIC, missing="checkov is not installed", install=INSTALL
            )
        folder = Folder(root)
        with copied(root, [path for path in paths if _promising(folder, path)], SIZE_LIMIT) as copies:
            hits = [not_read(path, "too long, or no UTF-8 text") for path in copies.left_out]
            if not copies.paths:
                return Scan(scanner=NAME, version="", topic=TOPIC, hits=in_order(hits))
            # The whole folder in one go: resources of several files are checked together.
            command = [str(program), "--directory", str(copies.folder), *_OPTIONS]
            return _scan(run(command, copies.empty, self._limit_s), copies, hits, self._limit_s)


def _scan(said: bytes | None, copies: Copies, hits: list[Hit], limit_s: float) -> Scan:
    if said is None:
        missing = f"checkov failed, or took longer than {limit_s:g} s"
        return Scan(scanner=NAME, version="", topic=TOPIC, missing=missing, install=INSTALL)
    try:
        answer = _REPORTS.decode(said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Scan(
            scanner=NAME,
            version="",
            topic=TOPIC,
            missing="checkov's answer cannot be read",
            install=INSTALL,
        )
    reports = answer if isinstance(answer, list) else [answer]
    versions = [each.summary.checkov_version or each.checkov_version for each in reports]
    return Scan(
        scanner=NAME,
        version=quoted(max(versions, default=""), 20),
        topic=TOPIC,
        looked_at=len(copies.paths),
        hits=in_order(
            [*hits, *(hit for each in reports for hit in _hits(each.results.failed_checks, copies))]
        ),
    )


def _hits(checks: Iterable[_Check], copies: Copies) -> list[Hit]:
    hits = []
    for check in checks:
        path = copies.original(check.file_abs_path)
        if path is None:  # a module outside of what was handed in
            continue
        line = check.file_line_range[0] if check.file_line_range else 1
        hits.append(
            Hit(
                rule=quoted(check.check_id, 50),
                message=quoted(
                    f"{check.check_name} ({check.resource})" if check.resource else check.check_name, 200
                ),
                severity=_SEVERITIES.get((check.severity or "").upper(), Severity.WARNING),
                location=Location(path=path, line=max(line, 1)),
            )
        )
    return hits


def _promising(folder: Folder, path: str) -> bool:
    if path.endswith((".tf", ".tf.json", ".tfvars", ".bicep")):
        return True
    data = folder.read(path, SIZE_LIMIT)
    return data is not None and any(sign in data for sign in _SIGNS)
