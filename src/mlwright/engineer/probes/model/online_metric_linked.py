"""Is it known that a better score is a better product?"""

import re
from typing import Final

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Text
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_ONLINE: Final = re.compile(
    r"\b(online|business|product|production|live)[- ](metrics?|kpis?|impact|quality|performance|evaluation)\b|\bkpis?\b"
    r"|\ba/b[- ]test|\b(click[- ]through|conversion|churn|retention) rate\b|\brevenue\b",
    re.IGNORECASE,
)
_OFFLINE: Final = re.compile(
    r"\boffline (metrics?|evaluation|performance|quality)\b|\b(roc[- ]?)?auc\b|\brmse\b|\bmae\b|\bf1\b|\bndcg\b"
    r"|\b(precision|recall)@|\bmap@|\blog[- ]?loss\b",
    re.IGNORECASE,
)
_ASIDE: Final = (Role.EXAMPLE, Role.TEST, Role.VENDORED)


def look(repository: Repository) -> Answer:
    """Look for a document that names both kinds of metric, or an endpoint whose labels come back to a metric."""
    for document in repository.documents:
        endpoints = document.get("endpoint") if document.path.endswith("mlwright.toml") else None
        for number, each in enumerate(endpoints if isinstance(endpoints, list) else ()):
            if isinstance(each, dict) and each.get("label") and each.get("monitor"):
                place = document.at("endpoint", number)
                return yes("the metric of the gate is computed again on the labels that arrive", place)
    for text in repository.texts:
        if role_of(text.path) in _ASIDE:
            continue
        online, offline = _line(text, _ONLINE), _line(text, _OFFLINE)
        if online and offline:
            return yes(
                f"{text.path} speaks of {online[1]} and of {offline[1]}",
                Location(path=text.path, line=online[0]),
                Location(path=text.path, line=offline[0]),
            )
    return no("no document names the metric of training beside one of the product")


def _line(text: Text, pattern: re.Pattern[str]) -> tuple[int, str] | None:
    for number, line in enumerate(text.content.splitlines(), 1):
        found = pattern.search(line[:2000])
        if found is not None:
            return number, found.group(0)
    return None


PROBE = Probe(
    id="model.online_metric_linked",
    title="the metric of training is set beside the metric of the product",
    why="A gain in AUC that moves nothing for users costs a release and teaches nobody why.",
    remedy="write both metrics into the README with what each past release changed in them: a table of four columns",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="ML Test Score (Breck et al. 2017), Model 2",
)
