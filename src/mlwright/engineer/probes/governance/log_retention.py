"""Are logs kept at least six months?"""

import re
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_GROUPS: Final = {
    "aws_cloudwatch_log_group": ("retention_in_days",),
    "AWS::Logs::LogGroup": ("RetentionInDays",),
    "azurerm_log_analytics_workspace": ("retention_in_days",),
    "google_logging_project_bucket_config": ("retention_days",),
}
_SIX_MONTHS: Final = 183
_TITLES: Final = (
    r"(prediction |inference |audit )?logs? retention( .{0,30})?",
    r"retention( of (logs|predictions))?",
)
_PERIOD: Final = re.compile(r"\b(\d{1,4}) (day|week|month|year)s?\b", re.IGNORECASE)
_DAYS: Final = {"day": 1, "week": 7, "month": 30.5, "year": 365}


def look(repository: Repository) -> Answer:
    """Read the retention of the cloud's log groups, else a section that names a period."""
    kept = [
        (each, days)
        for each in of_types(repository, _GROUPS)
        if (days := _days(prop(each, *_GROUPS[each.type]))) is not None
    ]
    short = [each for each, days in kept if 0 < days < _SIX_MONTHS]
    if kept and len(short) == len(kept):
        longest = max(days for _, days in kept)
        evidence = f"every log group deletes its logs, the last after {longest} days"
        return no(evidence, *(each.at for each in short), longest_days=longest, needed_days=_SIX_MONTHS)
    if kept:
        good = [(each, days) for each, days in kept if not 0 < days < _SIX_MONTHS]
        period = f"{good[0][1]} days" if good[0][1] else "for ever"
        return yes(f"{good[0][0].name} keeps its logs {period}", *(each.at for each, _ in good))
    written = tuple(each for each in sections(repository, *_TITLES) if _long(each.body))
    return told(written, "the retention is written", "no retention of logs is set or written")


def _days(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 7 else None


def _long(body: str) -> bool:
    return any(int(number) * _DAYS[unit.lower()] >= _SIX_MONTHS for number, unit in _PERIOD.findall(body))


PROBE = Probe(
    id="governance.log_retention",
    title="logs are kept at least six months",
    why="The complaint comes five months after the decision, and the log was deleted after thirty days.",
    remedy="keep the prediction log and the audit log six months or more (retention_in_days = 365)",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Articles 19 and 26(6)",
)
