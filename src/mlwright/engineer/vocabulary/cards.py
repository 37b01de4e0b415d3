"""Model cards: which documents are one, and which of the nine sections somebody filled in."""

import re
from typing import Final

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Text
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.sections import plain, sections

SECTIONS: Final = {
    "details": r"(model )?(details?|description|overview|information|summary)|about( the model| this model)?|model",
    "intended_use": r".*\b(intended|direct|downstream|out[- ]of[- ]scope|acceptable)\b.*|uses?|use cases?|purpose",
    "factors": r".*\bfactors\b.*|.*\b(sub)?groups\b.*|.*\bslices\b.*|instrumentation|relevant environments?",
    "metrics": r".*\bmetrics?\b.*|(model )?performance( measures?)?|decision thresholds?",
    "evaluation_data": r".*\b(evaluation|testing|test|eval|validation|hold-?out)\b.*\b(data(sets?)?|sets?|split)\b.*"
    r"|.*\bdata(sets?)?\b.*\b(evaluation|test(ing)?)\b.*",
    "training_data": r".*\b(training|train)\b.*\b(data(sets?)?|sets?|corpus)\b.*|data( ?sets?)?|data used",
    "quantitative_analyses": r".*\b(quantitative|results?|benchmarks?|performance)\b.*|evaluation",
    "ethical_considerations": r".*\b(ethic\w*|bias(es)?|fairness|harms?|societal|social impact|responsible)\b.*",
    "caveats": r".*\b(caveats?|limitations?|recommendations?|known issues|warnings?)\b.*",
}
"""The sections that Mitchell et al. (2019) ask for, with what their headings may be called."""

_NAME: Final = re.compile(
    r"(^|/)[\w.-]*model[-_ ]?cards?[\w.-]*\.(md|rst|txt|mdx|adoc|markdown)$", re.IGNORECASE
)
_FOLDER: Final = re.compile(r"(^|/)model[-_]?cards?/[^/]+\.(md|rst|mdx)$", re.IGNORECASE)
_FRONT: Final = re.compile(r"\A---\s*\n(.{1,20000}?)\n---\s*(\n|\Z)", re.DOTALL)
# Front matter of a page of a model; that of a data set, of a Space or of a web page has other keys.
_OF_MODEL: Final = re.compile(
    r"^(model-index|library_name|pipeline_tag|base_model|tags|license|metrics|inference)\s*:", re.M
)
_SURELY: Final = re.compile(r"^(model-index|library_name|pipeline_tag|base_model|metrics)\s*:", re.M)
_OF_OTHERS: Final = re.compile(
    r"^(sdk|app_file|task_categories|size_categories|dataset_info|configs|layout|permalink|title)\s*:", re.M
)


def front_matter(text: Text) -> str:
    """The block between the first two lines of dashes, "" without one."""
    found = _FRONT.match(text.content)
    return found.group(1) if found else ""


def cards(repository: Repository) -> tuple[Text, ...]:
    """The documents that describe a model; those of tests, examples and other people's code are left out."""
    return tuple(
        each
        for each in repository.texts
        if role_of(each.path) in (Role.DOCUMENT, Role.PRODUCTION, Role.TOOL)
        and (_NAME.search(each.path) or _FOLDER.search(each.path) or _hub(each))
        and "template" not in each.path.lower()
    )


def _hub(text: Text) -> bool:
    """Whether a README is the page of a model on a hub."""
    if not text.path.lower().endswith("readme.md"):
        return False
    front = front_matter(text)
    if _OF_OTHERS.search(front):
        return False
    return bool(_SURELY.search(front)) or len(set(_OF_MODEL.findall(front))) >= 2


def written(repository: Repository, card: Text) -> frozenset[str]:
    """The sections that a card has filled in; figures in the front matter of a hub's page count as metrics."""
    titles = [plain(each.title) for each in sections(repository, ".*") if each.at.path == card.path]
    found = {
        name
        for name, words in SECTIONS.items()
        if any(re.fullmatch(words, title, re.IGNORECASE) for title in titles)
    }
    front = front_matter(card)
    if "model-index" in front:
        found |= {"metrics", "quantitative_analyses"}
    if re.search(r"^datasets\s*:\s*(\S|\n\s*-)", front, re.M):
        found.add("training_data")
    return frozenset(found)
