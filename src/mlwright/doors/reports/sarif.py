"""The report as SARIF 2.1.0 (OASIS), for code hosts and editors.

What does not hold is one result a place; what could not be looked for, or was not read, is a notification. What is
unknown is no result: a code host shows every result as an alert.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import msgspec

from mlwright import __version__
from mlwright.doors.reports.words import clean, interval, topic
from mlwright.engineer.annotations import FILE
from mlwright.engineer.baseline import Problem
from mlwright.engineer.probe import Probe
from mlwright.engineer.standing import Standing
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_WHOLE: Final = "This is about the repository as a whole, not about this line."
Plain = dict[str, Any]


def sarif(standing: Standing, probes: Mapping[str, Probe]) -> str:
    """The document as text; the same report gives the same text.

    Args:
        standing: the report.
        probes: the questions by id, for the help of the rules.
    """
    report = standing.assessment
    rules = {each.id: number for number, each in enumerate(report.findings)}
    run: Plain = {
        "tool": {
            "driver": {
                "name": "mlwright",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(each, probes.get(each.id)) for each in report.findings],
            }
        },
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notes(standing, rules)}],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(each, rules[each.finding.id], standing)
            for each in standing.problems
            if each.finding.outcome is Outcome.FALSE
        ],
        "properties": {"subject": clean(report.subject), "readiness": interval(report.readiness)},
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def _rule(finding: Finding, probe: Probe | None) -> Plain:
    why = clean(probe.why) if probe is not None else clean(finding.title)
    source = clean(probe.source) if probe is not None else ""
    help = [
        why,
        f"What to do: {clean(finding.remedy)}" if finding.remedy else "",
        f"Source: {source}" if source else "",
    ]
    said = [each for each in help if each]
    return {
        "id": finding.id,
        "shortDescription": {"text": clean(finding.title)},
        "fullDescription": {"text": why},
        "help": {"text": "\n".join(said), "markdown": "\n\n".join(map(_markdown, said))},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {
            "tags": ["mlops", topic(finding.id)],
            "precision": "high",
            "effort": str(finding.effort),
        },
    }


def _result(problem: Problem, rule: int, standing: Standing) -> Plain:
    finding = problem.finding
    remedy = f" {clean(finding.remedy)}" if finding.remedy else ""
    result: Plain = {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": f"Does not hold: {clean(finding.title)}. {clean(finding.evidence)}.{remedy}"},
        "locations": [_location(problem.location, standing.front_door)],
        "partialFingerprints": {"mlwright/v1": problem.fingerprint},
    }
    if standing.against:
        result["baselineState"] = "unchanged" if problem.inherited else "new"
    if problem.accepted is not None:
        source = problem.accepted.source
        until = f" (until {problem.accepted.expires})" if problem.accepted.expires else ""
        result["suppressions"] = [
            {
                "kind": "external" if source.path == FILE else "inSource",
                "status": "accepted",
                "justification": clean(problem.accepted.reason) + until,
                "location": _location(source, standing.front_door),
            }
        ]
    return result


def _location(place: Location | None, front_door: str) -> Plain:
    """A place in the file's own lines; what has none stands at the front door: hosts refuse it otherwise."""
    if place is None:
        return {"physicalLocation": _physical(front_door, 1), "message": {"text": _WHOLE}}
    if place.cell is not None:
        # The line counts within the cell, and a region counts within the file: only the cell's number is true.
        line = f", line {place.line}" if place.line is not None else ""
        return {
            "physicalLocation": _physical(place.path, 1),
            "message": {"text": f"In cell {place.cell}{line} of this notebook."},
        }
    return {"physicalLocation": _physical(place.path, place.line)}


def _physical(path: str, line: int | None) -> Plain:
    physical: Plain = {"artifactLocation": {"uri": _uri(path), "uriBaseId": "%SRCROOT%"}}
    if line is not None and path != ".":
        physical["region"] = {"startLine": line}
    return physical


def _uri(path: str) -> str:
    """A relative URI reference (RFC 3986); a name that is not UTF-8 keeps its bytes."""
    return quote(PurePosixPath(path).as_posix().encode("utf-8", "surrogateescape"), safe="/")


def _notes(standing: Standing, rules: Mapping[str, int]) -> Sequence[Plain]:
    report = standing.assessment
    broken = [
        {
            "level": "error",
            "message": {"text": clean(each.evidence) or "the probe broke"},
            "associatedRule": {"id": each.id, "index": rules[each.id]},
        }
        for each in report.findings
        if each.outcome is Outcome.ERROR
    ]
    unread = [{"level": "note", "message": {"text": f"not read: {clean(each)}"}} for each in report.unread]
    scanners = [
        {"level": "note", "message": {"text": clean(each)}} for each in report.engines if ": " in each
    ]
    faults = [{"level": "warning", "message": {"text": clean(str(each))}} for each in standing.faults]
    return [*broken, *faults, *unread, *scanners]


def _markdown(text: str) -> str:
    """A text that Markdown must not read: no links or images from a probe of others."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>()#!|" else each for each in text)
