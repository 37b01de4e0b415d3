"""Does training read something that moves?"""

import re
from collections.abc import Iterator

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import reads
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.engineer.vocabulary.sources import TABLE_READERS, literal
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_LATEST = re.compile(r"(?:^|[/_\-.=:])latest(?:$|[/_\-.])", re.IGNORECASE)
_BRANCH = re.compile(
    r"raw\.githubusercontent\.com/[^/]+/[^/]+/(refs/heads/)?(master|main|develop)/", re.IGNORECASE
)
_NOW = ("*datetime.now", "*datetime.today", "*datetime.utcnow", "*date.today", "*Timestamp.now", "*Timestamp.today",
        "*Timestamp.utcnow")  # fmt: skip
_NOW_TEXT = re.compile(r"\b(now|today|utcnow)\(|current_date|getdate\(\)|\bnow\(\)", re.IGNORECASE)
_PRICES = "yfinance.download"
_LOCAL = re.compile(r"(?!\w+://)[\w./\\ \-]+")


def look(repository: Repository) -> Answer:
    """Look at what each read is told: ``latest``, a branch on the web, the time of day."""
    answering = {each.path for each in serving_files(repository)}
    calls = [
        (file, call)
        for file, call in repository.calls(*TABLE_READERS, _PRICES)
        if call.args and file.path not in answering
    ]
    if not calls:
        return no_question("no read of tables or downloads is seen")
    moving = [(file.at(call), why) for file, call in calls if (why := _moves(file, call))]
    if moving:
        return no(
            f"{len(moving)} of {counted(len(calls), 'read')} moving: {moving[0][1]}",
            *[at for at, _ in moving][:SHOWN],
            reads=len(calls),
            moving=len(moving),
        )
    still = list(_fixed(calls))
    if len(still) == len(calls):
        return yes(
            f"{counted(len(calls), 'read')} of files by a fixed name", *still[:SHOWN], reads=len(calls)
        )
    loose = len(calls) - len(still)
    return unknown(
        f"what {loose} of {counted(len(calls), 'read')} read is not written in the call", reads=len(calls)
    )


def _moves(file: PythonFile, call: Call) -> str:
    path = literal(call)
    if _LATEST.search(path):
        return f"“{path}” is another file tomorrow"
    if _BRANCH.search(path):
        return f"“{path}” follows a branch"
    if any(_NOW_TEXT.search(each.text) for each in call.args):
        return f"{call.method} reads up to the time of day"
    bounded = {
        each.keyword for each in call.args if each.keyword in ("start", "end", "start_date", "end_date")
    }
    if call.name == _PRICES and bounded and reads(call) & _clock_names(file, call.scope):
        return f"{call.method} reads up to the time of day"
    return ""


def _clock_names(file: PythonFile, scope: str) -> frozenset[str]:
    """The names that hold the time of day, in a function or at module level."""
    endings = tuple(each.lstrip("*") for each in _NOW)
    return frozenset(
        name
        for each in file.calls
        if each.scope in (scope, "") and each.name.endswith(endings)
        for name in each.results
    )


def _fixed(calls: list[tuple[PythonFile, Call]]) -> Iterator[Location]:
    for file, call in calls:
        if _LOCAL.fullmatch(literal(call)):
            yield file.at(call)


PROBE = Probe(
    id="data.source_pinned",
    title="training reads no moving target",
    why="The same commit trains another model tomorrow, and nobody can say what changed.",
    remedy="name the state: a commit instead of a branch, a dated path instead of latest, start and end as parameters",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="Sculley et al. 2015, unstable data dependencies; ML Test Score (Breck et al. 2017), Infrastructure 1",
)
