"""What people answered to questions that no file can answer, read from ``.mlwright-answers.toml`` in a repository::

    [[answer]]
    question = "microsoft.people.2"
    answer = true
    by = "Ada Lovelace"
    on = 2026-11-01

The repository may be anybody's: what is wrong with the file is reported and costs nothing but the answers concerned.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from mlwright.engineer.rubrics.catalogue import QUESTIONS
from mlwright.errors import Fault, near_match
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Finding, Location, Outcome

FILE: Final = ".mlwright-answers.toml"
_LARGEST: Final = 64 * 1024
_LONGEST_NAME: Final = 100
_KEYS: Final[Mapping[str, type]] = {"question": str, "answer": bool, "by": str, "on": date}
_KINDS: Final = {str: "a text", bool: "true or false", date: "a date like 2026-11-01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: yes or no, by whom, on which day."""

    question: str
    answer: bool
    by: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a repository, by question, and all that is wrong with its file."""

    given: tuple[Reply, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The answers as findings that rubrics read as DECLARED; what nobody answered is not among them."""
        return tuple(
            Finding(
                id=reply.question,
                title=QUESTIONS[reply.question],
                outcome=Outcome.TRUE if reply.answer else Outcome.FALSE,
                evidence=f"{reply.by} answered {'yes' if reply.answer else 'no'} on {reply.on}",
                severity=Severity.INFO,
                locations=(Location(path=FILE),),
                effort=Effort.DAYS,
            )
            for reply in self.given
        )


def read_answers(root: Path) -> Answers:
    """Read the file in a repository's root; without one there are no answers. A link is not followed."""
    path = root / FILE
    try:
        if path.is_symlink():
            return _refused("is a link, and links are not followed")
        if not path.is_file():
            return Answers()
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        return _refused(f"cannot be read: {error.strerror or type(error).__name__}")
    if len(content) > _LARGEST:
        return _refused(f"is larger than {_LARGEST // 1024} kB")
    try:
        return parse_answers(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _refused("is not UTF-8")


def parse_answers(text: str) -> Answers:
    """Read the text of such a file, and report all of its faults; a faulty answer is left out."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        return _refused(
            f"is no TOML: {error}" if not isinstance(error, RecursionError) else "is nested too deeply"
        )
    faults = [_unknown_key(FILE, key, ["answer"]) for key in data if key != "answer"]
    rows = data.get("answer", [])
    if not isinstance(rows, list):
        return Answers(faults=(*faults, Fault(where=FILE, what="answers are written as [[answer]] tables")))
    given: dict[str, Reply] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{FILE}: answer {number}"
        wrong = _faults(where, row)
        if not wrong and row["question"] in given:
            wrong = [Fault(where=where, what=f"{row['question']} is answered twice; the first answer counts")]
        faults += wrong
        if not wrong:
            given[row["question"]] = Reply(**row)
    return Answers(given=tuple(given[id] for id in sorted(given)), faults=tuple(faults))


def _faults(where: str, row: object) -> list[Fault]:
    if not isinstance(row, dict):
        return [Fault(where=where, what="an answer is a table with question, answer, by and on")]
    faults = [_unknown_key(where, key, _KEYS) for key in row if key not in _KEYS]
    for key, kind in _KEYS.items():
        if key not in row:
            faults.append(Fault(where=where, what=f"{key} is missing"))
        elif type(row[key]) is not kind:  # an instant is a date to isinstance, and true is a number
            faults.append(Fault(where=where, what=f"{key} must be {_KINDS[kind]}"))
    if faults:
        return faults
    if row["question"] not in QUESTIONS:
        near = near_match(row["question"], QUESTIONS)
        faults.append(Fault(where=where, what=f"nobody asks {_shown(row['question'])}", near=near))
    if not row["by"].strip() or not row["by"].isprintable() or len(row["by"]) > _LONGEST_NAME:
        faults.append(
            Fault(where=where, what=f"by must be a name of 1 to {_LONGEST_NAME} printable characters")
        )
    return faults


def _unknown_key(where: str, key: str, known: Iterable[str]) -> Fault:
    return Fault(where=where, what=f"nothing is called {_shown(key)}", near=near_match(key, known))


def _shown(text: str) -> str:
    """A text of somebody else's, short and without control characters."""
    return repr(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…")


def _refused(what: str) -> Answers:
    return Answers(faults=(Fault(where=FILE, what=what),))
