"""Columns by name: which are features, which point at a row or a person, which are a matter of law."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mlwright.engineer.facts.code import Binding, PythonFile
from mlwright.engineer.facts.configuration import DocumentKind, Plain
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.repository import Repository
from mlwright.model.findings import Location

_LIST_NAME: Final = re.compile(
    r"(.*_)?(features?|predictors|covariates)(_?(names?|cols?|columns|list))?"
    r"|(x|input|training|train|model)_?(cols|columns|features|names|vars)"
    r"|(num|numeric|numerical|cat|categorical|cont|continuous|ordinal|nominal|dense|sparse|binary|bool|boolean)"
    r"_?(features?|feats?|cols|columns|vars|attribs|attributes)",
    re.IGNORECASE,
)
# Lists that name what is *not* given to the model, or lists of something else.
_NOT_FEATURES: Final = re.compile(
    r"drop|exclu|ignor|remov|skip|unused|unwanted|sensitiv|protect|personal|forbid|deny|banned|pii|target|label|"
    r"output|meta|plot|time|non_|not_|_id|id_|key|layer|flag|raw|all|original|available|product|import|new_",
    re.IGNORECASE,
)
_FRAME_COLUMNS: Final = re.compile(r"^\w+(\.loc)?\[\s*(:\s*,\s*)?\[")
_INPUTS: Final = frozenset(("X", "x", "X_train", "x_train", "features", "inputs", "X_raw"))
_COLUMN: Final = re.compile(r"[A-Za-z_][\w .\-()%/?$#&']{0,60}")
_KEYS: Final = frozenset(
    "features feature_columns feature_names feature_cols numerical_features numeric_features categorical_features "
    "num_features cat_features numerical_columns numeric_columns categorical_columns".split()
)
_SETTINGS: Final = re.compile(
    r"^(?!.*(cargo\.toml|package\.json)$).*((^|/)(conf|params|settings)(/|[\w-]*\.(ya?ml|json|toml)$)|param|config)"
)

ROW_IDENTIFIERS: Final = re.compile(
    r"(id|idx|uuid|guid|rowid|row_?(id|number|num)|unnamed: 0|record_?id|transaction_?id|order_?id|invoice_?(id|no)|"
    r"passenger_?id|loan_?id|application_?id|session_?id|request_?id|event_?id|ticket_?id|claim_?id|.*_uuid|.*_guid)",
    re.IGNORECASE,
)
ENTITY_IDENTIFIERS: Final = re.compile(
    r"(customer|user|client|patient|account|member|person|subscriber|employee|student|policy)_?(id|number|no)",
    re.IGNORECASE,
)
# Where a table of embeddings or effects per entity is the point of the model.
ENTITY_MODELS: Final = frozenset(
    "embedding embeddings nn.embedding recommend recommender recommendation collaborative ratings rating movie_id "
    "item_id surprise lightfm implicit als svd factorization mixedlm random_effects".split()
)

DIRECT: Final = re.compile(
    r"(e_?mail(_?address)?|ssn|social_security(_number)?|(tele)?phone_?(number|no)|mobile_?(number|no)|"
    r"first_?name|last_?name|full_?name|surname|passport(_?(number|no))?|iban|credit_?card(_?(number|no))?|"
    r"street(_?address)?|home_?address|national_?id|tax_?id|driver_?licen[cs]e(_?no)?)",
    re.IGNORECASE,
)
PROTECTED: Final = re.compile(
    r"(is_?)?(race|ethnicity|ethnic_group|religion|sexual_orientation|gender|sex|nationality|disability|disabled|"
    r"political_(party|affiliation|opinion)|marital_?status|pregnan(t|cy)|trade_union|skin_?colou?r)",
    re.IGNORECASE,
)
PROXIES: Final = re.compile(
    r"(zip|zip_?code|post_?code|postal_?code|native_country|birth_?place|country_of_birth)", re.I
)

PEOPLE: Final = frozenset(
    "customer customers customer_id customerid patient patients patient_id patientid applicant applicants user_id "
    "userid employee employees employee_id gender birth_date date_of_birth dob first_name last_name phone_number ssn "
    "ethnicity marital_status".split()
)
"""Names, in lower case, that tell that rows are about people."""

_POLICY_NAME: Final = re.compile(
    r"(.*_)?(sensitive|protected|forbidden|prohibited|personal|pii|phi|denied|deny|banned|restricted)"
    r"_?(columns?|cols|features?|attributes?|attrs?|fields?|list|variables?|data|names)",
    re.IGNORECASE,
)


@lru_cache(maxsize=10_000)
def _of_policy(name: str) -> bool:
    return _POLICY_NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that some code or setting gives to a model, and where that is said."""

    name: str
    at: Location


@remembered
def feature_lists(repository: Repository) -> tuple[tuple[str, Location, tuple[str, ...]], ...]:
    """The lists of feature names that production code and settings write out: name of the list, place, columns."""
    return tuple(_feature_lists(repository))


def _feature_lists(repository: Repository) -> Iterator[tuple[str, Location, tuple[str, ...]]]:
    for file in repository.production:
        for each in file.bindings:
            if _lists_features(each):
                columns = tuple(text for text in each.strings if _COLUMN.fullmatch(text))
                if columns and len(columns) == len(each.strings):
                    yield each.targets[0] if each.targets else "", file.at(each), columns
    for document in repository.of_kind(DocumentKind.OTHER, DocumentKind.DVC):
        if _SETTINGS.match(document.path):
            for keys, columns in _settings(document.data, ()):
                yield str(keys[-1]), document.at(*keys), columns


def _lists_features(binding: Binding) -> bool:
    if not binding.strings or len(binding.targets) != 1:
        return False
    name = binding.targets[0].rpartition(".")[2]
    if name in _INPUTS and _FRAME_COLUMNS.match(binding.text):
        return True
    return bool(
        binding.text[:1] in "[({"
        and not binding.names
        and ":" not in binding.text
        and _LIST_NAME.fullmatch(name)
        and not _NOT_FEATURES.search(name)
    )


def _settings(
    data: Plain, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    if len(path) > 4 or not isinstance(data, dict):
        return
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _settings(value, (*path, str(key)))
        elif str(key).lower() in _KEYS and (columns := _names(value)):
            yield (*path, str(key)), columns


def _names(value: Plain) -> tuple[str, ...]:
    """A list of column names, () for anything else."""
    if not isinstance(value, list) or not 0 < len(value) <= 500:
        return ()
    return tuple(value) if all(isinstance(each, str) and _COLUMN.fullmatch(each) for each in value) else ()


def feature_columns(repository: Repository) -> tuple[Column, ...]:
    """Every column that is written out as a feature, once each, where it is first said; sorted by name."""
    found: dict[str, Location] = {}
    for _, at, names in feature_lists(repository):
        for name in names:
            found.setdefault(name, at)
    return tuple(Column(name, found[name]) for name in sorted(found))


def policies(repository: Repository) -> tuple[Location, ...]:
    """Where columns are named as sensitive, forbidden or personal: lists in code, tags in schemas, policy files."""
    places = [
        file.at(each)
        for file in repository.production
        for each in file.bindings
        if each.strings and any(_of_policy(name.rpartition(".")[2]) for name in each.targets)
    ]
    places += [
        Location(path=each.path)
        for each in repository.find(
            "*feature*polic*",
            "*data*polic*",
            "*pii*polic*",
            "sensitive_columns*",
            "*privacy*polic*",
            "pii.y*ml",
        )
    ]
    for document in repository.documents:
        if document.kind in (DocumentKind.CONTRACT, DocumentKind.DBT) or _SETTINGS.match(document.path):
            places += [document.at(*keys) for keys in _tags(document.data, ())][:1]
        elif document.kind is DocumentKind.OTHER and _ABOUT_COLUMNS.search(document.path):
            places += [document.at(*keys) for keys in _denied(document.data)][:1]
    return tuple(places)


def _denied(data: Plain) -> Iterator[tuple[str, ...]]:
    """Keys at the top that list what is forbidden: ``forbidden: [gender, email]``."""
    for key, value in data.items() if isinstance(data, dict) else ():
        if _DENIED.fullmatch(str(key)) and _names(value):
            yield (str(key),)


_ABOUT_COLUMNS: Final = re.compile(r"feature|column|polic|contract|privacy|sensitiv", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"(forbidden|prohibited|banned|denied|deny|denylist|sensitive|protected|restricted|personal)(_\w+)?",
    re.IGNORECASE,
)
_TAGS: Final = frozenset(("classification", "pii", "sensitive", "contains_pii", "personal", "privacy"))


def _tags(data: Plain, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if len(path) > 12:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            if _said(str(key), value):
                yield (*path, str(key))
            yield from _tags(value, (*path, str(key)))
    elif isinstance(data, list):
        for number, value in enumerate(data[:500]):
            yield from _tags(value, (*path, number))


def _said(key: str, value: Plain) -> bool:
    return (key in _TAGS and value not in (None, "", [], {})) or (
        _POLICY_NAME.fullmatch(key) is not None and isinstance(value, list) and bool(value)
    )


def about_people(repository: Repository) -> bool:
    """Whether production code names something that only people have."""
    return any(mentions(file, PEOPLE) for file in repository.production)


def mentions(file: PythonFile, words: frozenset[str]) -> bool:
    """Whether a file uses one of these words as a name or a text."""
    return not words.isdisjoint(file.words)
