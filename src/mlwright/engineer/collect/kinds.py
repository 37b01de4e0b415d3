"""What a document is, by its name and by what stands in it."""

import re
from collections.abc import Callable

from mlwright.engineer.facts.configuration import DocumentKind, Plain

_WORKFLOW = re.compile(
    r"(?:^|/)(?:\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml|\.circleci/config\.ya?ml"
    r"|azure-pipelines[^/]*\.ya?ml|\.azure-pipelines/.+\.ya?ml|\.azuredevops/.+\.ya?ml|bitbucket-pipelines\.ya?ml"
    r"|\.travis\.ya?ml|\.drone\.ya?ml|\.woodpecker(?:/[^/]+)?\.ya?ml|\.buildkite/[^/]+\.ya?ml|cloudbuild[^/]*\.ya?ml"
    r"|buildspec[^/]*\.ya?ml)$"
)
_COMPOSE = re.compile(r"^(?:docker-)?compose(?:[._-][\w.-]+)?\.ya?ml$")
_RENOVATE = {"renovate.json", "renovate.json5", ".renovaterc", ".renovaterc.json"}

_NAMED: dict[str, DocumentKind] = {
    "chart.yaml": DocumentKind.HELM_CHART,
    "dvc.yaml": DocumentKind.DVC,
    "dvc.lock": DocumentKind.DVC,
    "mlproject": DocumentKind.ML_PROJECT,
    "mlmodel": DocumentKind.ML_MODEL,
    "dbt_project.yml": DocumentKind.DBT,
    "dbt_project.yaml": DocumentKind.DBT,
    "pulumi.yaml": DocumentKind.PULUMI,
    "pulumi.yml": DocumentKind.PULUMI,
    "alertmanager.yml": DocumentKind.ALERTMANAGER,
    "alertmanager.yaml": DocumentKind.ALERTMANAGER,
    ".pre-commit-config.yaml": DocumentKind.PRE_COMMIT,
    ".pre-commit-config.yml": DocumentKind.PRE_COMMIT,
    "pyproject.toml": DocumentKind.PYPROJECT,
    "mlwright.toml": DocumentKind.MLWRIGHT,
    **dict.fromkeys(_RENOVATE, DocumentKind.RENOVATE),
}

_PATHS = (
    (re.compile(r"(?:^|/)\.github/dependabot\.ya?ml$"), DocumentKind.DEPENDABOT),
    (_WORKFLOW, DocumentKind.WORKFLOW),
    (re.compile(r"\.dvc$"), DocumentKind.DVC),
)
_VALUES = re.compile(r"(?:values(?:[._-].*)?|.*[._-]values)\.ya?ml$")


def kind_of(path: str, data: Plain) -> DocumentKind:
    """The kind of a document at this path; content decides where the name leaves it open."""
    low = path.lower()
    name = low.rpartition("/")[2]
    if name in _NAMED:
        return _NAMED[name]
    for pattern, kind in _PATHS:
        if pattern.search(low):
            return kind
    if isinstance(data, list):
        return _of_list(data)
    return _of_mapping(name, data) if isinstance(data, dict) else DocumentKind.OTHER


def _of_mapping(name: str, data: dict[str, Plain]) -> DocumentKind:
    found = next((kind for kind, told in _TELLING if told(data)), None)
    if found is not None:
        return found
    services = data.get("services")
    if _COMPOSE.match(name) or (isinstance(services, dict) and _all_run(services) and _only_compose(data)):
        return DocumentKind.COMPOSE
    return DocumentKind.HELM_VALUES if _VALUES.match(name) else DocumentKind.OTHER


def _of_list(data: list[Plain]) -> DocumentKind:
    first = next((each for each in data if isinstance(each, dict)), {})
    if len(first) == 1 and isinstance(first.get("alert"), str):
        return DocumentKind.PROMETHEUS
    if "alert" in first and "expr" in first:
        return DocumentKind.PROMETHEUS
    return DocumentKind.OTHER


def _all_run(services: dict[str, Plain]) -> bool:
    blocks = [each for each in services.values() if isinstance(each, dict)]
    return bool(blocks) and all("image" in each or "build" in each or "extends" in each for each in blocks)


def _only_compose(data: dict[str, Plain]) -> bool:
    known = {"version", "services", "volumes", "networks", "secrets", "configs", "name", "include"}
    return all(key in known or key.startswith("x-") for key in data)


def _cloudformation(data: dict[str, Plain]) -> bool:
    if "AWSTemplateFormatVersion" in data:
        return True
    resources = data.get("Resources")
    return isinstance(resources, dict) and any(
        isinstance(each, dict) and isinstance(each.get("Type"), str) and "::" in each["Type"]
        for each in resources.values()
    )


def _prometheus(data: dict[str, Plain]) -> bool:
    groups = data.get("groups")
    if isinstance(groups, list) and groups:
        rules = [
            rule
            for group in groups
            if isinstance(group, dict) and isinstance(group.get("rules"), list)
            for rule in group["rules"]
            if isinstance(rule, dict)
        ]
        return any("expr" in rule and ("alert" in rule or "record" in rule) for rule in rules)
    return isinstance(data.get("scrape_configs"), list)


def _grafana(data: dict[str, Plain]) -> bool:
    board = data.get("dashboard") if isinstance(data.get("dashboard"), dict) else data
    if isinstance(board, dict) and isinstance(board.get("panels"), list | None) and "schemaVersion" in board:
        return True
    groups = data.get("groups")
    if isinstance(groups, list):  # alert provisioning
        return any(
            isinstance(rule, dict) and "title" in rule and "data" in rule
            for group in groups
            if isinstance(group, dict) and isinstance(group.get("rules"), list)
            for rule in group["rules"]
        )
    return False


def _contract(data: dict[str, Plain]) -> bool:
    if "dataContractSpecification" in data:
        return True
    return data.get("kind") == "DataContract" and "apiVersion" in data


def _dbt(data: dict[str, Plain]) -> bool:
    if set(data) <= {
        "version",
        "models",
        "sources",
        "seeds",
        "snapshots",
        "exposures",
        "metrics",
        "semantic_models",
    }:
        blocks = [
            each for key in ("models", "sources", "seeds", "exposures") for each in _list(data.get(key))
        ]
        return any(
            "columns" in each or "tables" in each or "tests" in each or "depends_on" in each
            for each in blocks
        )
    return False


def _list(value: Plain) -> list[dict[str, Plain]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_TELLING: tuple[tuple[DocumentKind, Callable[[dict[str, Plain]], bool]], ...] = (
    (DocumentKind.CONTRACT, _contract),
    (
        DocumentKind.KUBERNETES,
        lambda data: isinstance(data.get("apiVersion"), str | int) and isinstance(data.get("kind"), str),
    ),
    (DocumentKind.CLOUDFORMATION, _cloudformation),
    (DocumentKind.PROMETHEUS, _prometheus),
    (DocumentKind.GRAFANA, _grafana),
    (
        DocumentKind.ALERTMANAGER,
        lambda data: isinstance(data.get("route"), dict) and isinstance(data.get("receivers"), list),
    ),
    (
        DocumentKind.PULUMI,
        lambda data: (
            isinstance(data.get("resources"), dict)
            and "runtime" in data
            and any(
                isinstance(each, dict) and ":" in str(each.get("type", ""))
                for each in data["resources"].values()
            )
        ),
    ),
    (DocumentKind.DBT, _dbt),
    (DocumentKind.ML_MODEL, lambda data: "flavors" in data and "model_uuid" in data),
)
