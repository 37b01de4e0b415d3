"""Tools that declare what data must look like, where they are used, and which columns they speak of."""

import re
from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import Call, Role
from mlwright.engineer.facts.configuration import Document, DocumentKind, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.packages import imports_of
from mlwright.engineer.vocabulary.sources import TABLE_READERS
from mlwright.model.findings import Location

PACKAGES: Final = {
    "pandera": "pandera",
    "great_expectations": "Great Expectations",
    "tensorflow_data_validation": "TFDV",
    "tfx.components.ExampleValidator": "TFX",
    "tfx.v1.components.ExampleValidator": "TFX",
    "deepchecks": "deepchecks",
    "soda": "Soda",
    "dataframely": "dataframely",
    "patito": "patito",
    "pointblank": "pointblank",
    "pydeequ": "Deequ",
    "frictionless": "frictionless",
    "datacontract": "datacontract",
    "evidently.tests": "evidently tests",
    "evidently.test_suite": "evidently tests",
    "evidently.test_preset": "evidently tests",
    "cuallee": "cuallee",
    "validoopsie": "validoopsie",
}
"""Import names of tools that check tables, with the name people know."""

COMMANDS: Final = (
    r"great_expectations\s+.*checkpoint\s+run", r"\bgx\s+checkpoint\s+run", r"\bdbt\s+(test|build)\b",
    r"\bsoda\s+scan\b",    r"\bdatacontract\s+test\b", r"\bmlwright\s+(check|run)\b", r"\bfrictionless\s+validate\b",
)  # fmt: skip
"""Shell texts (regular expressions) that validate data."""

CALLED: Final = frozenset(
    "validate check_types check_input check_output check_io run_checkpoint validate_statistics examplevalidator "
    "run_validation run_validation_operator checkpoint get_validator validator validate_data interrogate "
    "verificationsuite is_valid testsuite".split()
)
"""Names, in lower case, that run a declared check where they stand in code."""

_BY_HAND: Final = re.compile(
    r"_?(validate|check|verify|assert)_(\w+_)?(data|dataset|schema|columns|frame|df|dataframe|table|rows|features)",
    re.IGNORECASE,
)
_SCHEMAS: Final = ("DataFrameModel", "SchemaModel")


def declared(repository: Repository) -> tuple[tuple[str, Location], ...]:
    """Each declaration of expectations on data: the tool and a place, in the order of the paths."""
    code = [each for each in repository.python if each.role in (Role.PRODUCTION, Role.TOOL)]
    found = list(imports_of(code, PACKAGES))
    found += [("pydantic", at) for at, _ in _row_models(repository)]
    found += [("a data contract", document.at()) for document in repository.of_kind(DocumentKind.CONTRACT)]
    for document in repository.documents:
        found += [(tool, document.at(*keys)) for tool, keys in in_document(document)]
    found += [
        ("Great Expectations", Location(path=each.path))
        for each in repository.find("*expectations/*.json", "*gx/expectations/*.json")
    ]
    found += [("TFDV", Location(path=each.path)) for each in repository.find("*schema*.pbtxt")]
    return tuple(sorted(set(found), key=lambda each: (each[1].path, each[1].line or 0, each[0])))


def _row_models(repository: Repository) -> Iterator[tuple[Location, tuple[str, ...]]]:
    """The pydantic classes that files which read tables make from rows (``Row(**row)``)."""
    models = [
        (file, kind)
        for file in repository.production
        for kind in file.classes
        if "pydantic.BaseModel" in kind.bases and kind.fields
    ]
    reading = {file.path: file for file, _ in repository.calls(*TABLE_READERS)} if models else {}
    used = {
        call.receiver or call.method
        for file in reading.values()
        for call in file.calls
        if call.method in ("model_validate", "parse_obj") or any(each.keyword == "**" for each in call.args)
    }
    for file, kind in models:
        if kind.name in used:
            yield file.at(kind), kind.fields


def in_document(document: Document) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """What one document declares: the tool, and the keys to the place."""
    data = document.data
    if not isinstance(data, dict):
        return
    if document.kind is DocumentKind.DBT:
        yield from (("dbt tests", keys) for keys in _dbt_tests(data, ()))
    for key in data:
        if str(key).startswith("checks for "):
            yield "Soda", (str(key),)
    if document.path.endswith("mlwright.toml"):
        for number, each in enumerate(_list(document.get("dataset"))):
            if isinstance(each, dict) and each.get("contract"):
                yield "mlwright contract", ("dataset", number, "contract")


def _dbt_tests(data: Plain, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The first place of a dbt file that lists tests."""
    if len(path) > 10:
        return
    if isinstance(data, dict):
        for key in ("tests", "data_tests"):
            if isinstance(data.get(key), list) and data[key] and path:
                yield (*path, key)
                return
        for key, value in data.items():
            for found in _dbt_tests(value, (*path, str(key))):
                yield found
                return
    elif isinstance(data, list):
        for number, value in enumerate(data[:500]):
            for found in _dbt_tests(value, (*path, number)):
                yield found
                return


def checks_by_hand(repository: Repository) -> tuple[tuple[str, Location], ...]:
    """Functions of production code that check data with statements instead of a declaration: name and place."""
    return tuple(
        (each.name, file.at(each))
        for file in repository.production
        for each in file.functions
        if _BY_HAND.fullmatch(each.name.rpartition(".")[2])
    )


def contract_columns(repository: Repository) -> frozenset[str]:
    """The columns that declarations name, as far as they can be read."""
    found: set[str] = set()
    for file in repository.python:
        if file.role not in (Role.PRODUCTION, Role.TOOL):
            continue
        for kind in file.classes:
            if any(base.rpartition(".")[2] in _SCHEMAS or base.startswith("patito.") for base in kind.bases):
                found.update(kind.fields)
        schemas = {(call.line, call.cell) for call in file.calls if call.name.endswith(".DataFrameSchema")}
        for binding in file.bindings:
            if (binding.line, binding.cell) in schemas:
                found.update(binding.strings)
        for call in file.calls:
            found.update(_expected(call))
    for _, fields in _row_models(repository):
        found.update(fields)
    for document in repository.of_kind(DocumentKind.CONTRACT, DocumentKind.DBT):
        found.update(_properties(document.data, 0))
    for document in repository.documents:
        for each in _list(document.get("expectations")):
            column = each.get("kwargs", {}).get("column") if isinstance(each, dict) else None
            found.update([column] if isinstance(column, str) else [])
    return frozenset(found)


def _expected(call: Call) -> Iterator[str]:
    """The column of ``frame.expect_column_…("age")`` or ``ExpectColumn…(column="age")``."""
    if call.method.startswith(("expect_column", "ExpectColumn")):
        given = call.argument("column") or next((each for each in call.args if each.keyword is None), None)
        if given is not None and isinstance(given.value, str):
            yield given.value


def _properties(data: Plain, depth: int) -> Iterator[str]:
    """The names below ``properties`` (ODCS), ``columns`` (dbt) or ``fields`` (data contract specification)."""
    if depth > 12:
        return
    if isinstance(data, list):
        for each in data[:1000]:
            yield from _properties(each, depth + 1)
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        if key in ("properties", "columns", "fields"):
            if isinstance(value, dict):
                yield from (str(name) for name in value)
            for each in _list(value):
                if isinstance(each, dict) and isinstance(each.get("name"), str):
                    yield each["name"]
        yield from _properties(value, depth + 1)


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []


def commanded(repository: Repository) -> tuple[Location, ...]:
    """Where a CI job, a DVC stage or a pipeline runs a validating command."""
    pattern = re.compile("|".join(COMMANDS), re.IGNORECASE)
    places = [step.at for workflow in repository.workflows for step in workflow.running(*COMMANDS)]
    for document in repository.of_kind(DocumentKind.DVC):
        stages = document.get("stages")
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            if isinstance(stage, dict) and pattern.search(str(stage.get("cmd", ""))):
                places.append(document.at("stages", name))
    places += [each.at for each in repository.pipelines if any(pattern.search(step) for step in each.steps)]
    return tuple(places)
