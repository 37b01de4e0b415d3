"""Figures of quality that people wrote down: "accuracy: 0.93" in a document, ``{"auc": 0.81}`` in a file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Plain, Text
from mlwright.engineer.facts.repository import Repository
from mlwright.model.findings import Location

_METRICS_FILE: Final = re.compile(
    r"(^|/)[\w.-]*(metrics?|scores?|eval(uation)?(_results?|_report)?|results?|test_results?)[\w-]*\.(json|ya?ml)$"
)
_NAMES: Final = {
    "accuracy": r"(?:balanced[ _-])?(?:accuracy|acc)",
    "AUC": r"(?:roc[ _-]?)?auc(?:[ _-]?roc)?|auroc|roc[ _-]auc(?:[ _-]score)?",
    "F1": r"(?:\w+[ _-])?f1(?:[ _-]?(?:score|macro|micro|weighted))?|f1[ _-]score",
    "R2": r"r2(?:[ _-]score)?|r\^2|r²|r-?squared",
    "RMSE": r"rmse",
    "MAE": r"mae",
}
BOUNDED: Final = frozenset(("accuracy", "AUC", "F1", "R2"))
"""Metrics of which 1 is perfect."""

_KEYS: Final = tuple(
    (name, re.compile(rf"(?:(?:test|val|valid|eval|validation|holdout|mean|avg)[ _/-])?(?:{words})", re.I))
    for name, words in _NAMES.items()
)
_BETWEEN: Final = (
    r"[\s|:=*_`\"'()~≈]{1,12}"
    r"(?:(?:of|is|was|score|on (?:the )?test(?: set)?|about|around)[\s|:=*`\"'~≈]{1,4}){0,3}"
)
_SAID: Final = re.compile(
    rf"(?<![\w-])(?P<name>{'|'.join(_NAMES.values())})(?![\w@-]){_BETWEEN}"
    r"(?P<value>\d{1,6}(?:\.\d{1,8})?)(?P<percent>\s?%)?(?![\w.]*\d)",
    re.IGNORECASE,
)
_CELL: Final = re.compile(r"[*`_\s]*(\d{1,6}(?:\.\d{1,8})?)(\s?%)?[*`_\s]*")
# Lines that say what should be, or what was on rows that the model had learned.
_NOT_MEASURED: Final = re.compile(
    r"target|threshold|goal|require|should|must|at least|minimum|expect|>=|≥|>|&gt;|slo\b|on (the )?train|upper bound"
    r"|train(ing)?[ _-]?(set|acc|auc|score|f1)|perfect|example|e\.g\.|alert|gate",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure: the metric's plain name, its value (0.93 for "93 %"), how it was written, where."""

    name: str
    value: float
    written: str
    at: Location

    @staticmethod
    def name_of(key: str) -> str:
        """The plain name of a metric by the key that a file has for it, "" for anything else."""
        return next((name for name, words in _KEYS if words.fullmatch(key)), "")

    def agrees(self, exact: float) -> bool:
        """Whether an exact value rounds to what was written."""
        number = self.written.rstrip(" %")
        digits = len(number.partition(".")[2]) + (2 if "%" in self.written else 0)
        exact = exact / 100 if exact > 1 and self.value <= 1 and self.name in BOUNDED else exact
        return abs(self.value - exact) <= 0.5 * 10.0**-digits + 1e-9


def scores_in(text: Text) -> list[Score]:
    """The figures of quality that a document states as measured, in order: in sentences, and in tables by column."""
    found: list[Score] = []
    columns: list[str] = []
    for number, line in enumerate(text.content.splitlines(), 1):
        at = Location(path=text.path, line=number)
        cells = [each.strip() for each in line[:1000].strip().strip("|").split("|")]
        if len(cells) < 2:
            columns = []
        elif not columns:
            columns = [Score.name_of(each.strip("*` ")) for each in cells]
        if _NOT_MEASURED.search(line[:1000]):
            continue
        for name, cell in zip(columns, cells, strict=False):
            value = _CELL.fullmatch(cell)
            found += _score(name, value.group(1), value.group(2), at) if name and value else []
        for match in _SAID.finditer(line[:1000]):
            found += _score(
                Score.name_of(match.group("name")), match.group("value"), match.group("percent"), at
            )
    return found


def _score(name: str, written: str, percent: str | None, at: Location) -> list[Score]:
    value = float(written) / (100 if percent else 1)
    if not name or (name in BOUNDED and not 0 <= value <= 1):
        return []
    return [Score(name=name, value=value, written=written + (" %" if percent else ""), at=at)]


def recorded(repository: Repository) -> list[Score]:
    """The figures in files of metrics (``metrics.json`` and the like), those of the training part left out."""
    found: list[Score] = []
    for document in repository.documents:
        if _METRICS_FILE.search(document.path.lower()) and role_of(document.path) in _OURS:
            found += [
                Score(name=name, value=value, written=f"{value:g}", at=document.at(*keys))
                for keys, name, value in _leaves(document.data, ())
            ]
    return found


_OURS: Final = (Role.PRODUCTION, Role.DOCUMENT, Role.TOOL)


def _leaves(data: Plain, keys: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, float]]:
    if isinstance(data, dict) and len(keys) < 6:
        for key, value in data.items():
            yield from _leaves(value, (*keys, str(key)))
    elif isinstance(data, int | float) and not isinstance(data, bool) and keys:
        name = Score.name_of(str(keys[-1]))
        if name and not any(_OTHER_PART.search(str(key)) for key in keys):
            yield keys, name, float(data)


_OTHER_PART: Final = re.compile(r"train|std|threshold|target|min_|baseline", re.IGNORECASE)


def stated(repository: Repository) -> list[Score]:
    """The figures that a README, a model card or a report states as measured."""
    return [
        score
        for text in repository.texts
        if role_of(text.path) in _OURS and _REPORT.search(text.path.lower())
        for score in scores_in(text)
    ]


_REPORT: Final = re.compile(
    r"(^|/)[\w.-]*(readme|model[-_]?card|results?|metrics?|report|evaluation|performance)[\w.-]*$"
)
