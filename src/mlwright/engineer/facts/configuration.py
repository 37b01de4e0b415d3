"""Everything in a repository that is not code, as facts: documents, containers, workflows, resources, pipelines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlwright.model.findings import Location

Plain = Any
"""A tree of dict, list and scalars, as JSON has them; whoever reads one checks what it finds."""


class DocumentKind(StrEnum):
    """What a YAML, JSON or TOML document is, by name and content."""

    KUBERNETES = "kubernetes"
    HELM_CHART = "helm_chart"
    HELM_VALUES = "helm_values"
    COMPOSE = "compose"
    WORKFLOW = "workflow"
    DVC = "dvc"
    ML_PROJECT = "ml_project"
    ML_MODEL = "ml_model"
    DBT = "dbt"
    CONTRACT = "contract"
    CLOUDFORMATION = "cloudformation"
    PULUMI = "pulumi"
    PROMETHEUS = "prometheus"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    PRE_COMMIT = "pre_commit"
    DEPENDABOT = "dependabot"
    RENOVATE = "renovate"
    PYPROJECT = "pyproject"
    MLWRIGHT = "mlwright"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML, JSON or TOML document; a file with several has several, ``index`` counts them from 0.

    ``lines`` maps a path of keys and list positions, as ``("spec", "containers", 0)``, to its line in the file.
    """

    path: str
    kind: DocumentKind
    index: int
    data: Plain
    lines: Mapping[tuple[str | int, ...], int]

    def at(self, *keys: str | int) -> Location:
        """Where a key stands; the nearest key above it where the exact one has no line."""
        for length in range(len(keys), -1, -1):
            line = self.lines.get(keys[:length])
            if line is not None:
                return Location(path=self.path, line=line)
        return Location(path=self.path, line=1)

    def get(self, *keys: str | int) -> Plain:
        """The value below these keys, or None where there is none; never raises."""
        here: Plain = self.data
        for key in keys:
            if isinstance(here, dict):
                here = here.get(key)
            elif isinstance(here, list) and isinstance(key, int) and -len(here) <= key < len(here):
                here = here[key]
            else:
                return None
        return here


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile; ``stage`` counts the FROM lines from 0, -1 before the first."""

    name: str
    value: str
    line: int
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile or Containerfile."""

    path: str
    instructions: tuple[Instruction, ...]

    def all(self, *names: str) -> tuple[Instruction, ...]:
        """The instructions of these names, in order."""
        return tuple(each for each in self.instructions if each.name in names)

    @property
    def last_stage(self) -> tuple[Instruction, ...]:
        """The instructions of the stage that becomes the image."""
        last = max((each.stage for each in self.instructions), default=-1)
        return tuple(each for each in self.instructions if each.stage == last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a Kubernetes workload or a Compose service; ``at`` is where its block begins.

    ``spec`` is its own mapping, ``pod`` the mapping of the pod or of the service.
    """

    workload: str
    kind: str
    name: str
    image: str
    spec: Plain
    pod: Plain
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """One Kubernetes object; ``templated`` where it stands in a Helm template and could be read only in part."""

    api_version: str
    kind: str
    name: str
    document: Document
    templated: bool = False

    @property
    def at(self) -> Location:
        """Where it begins."""
        return self.document.at("kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStep:
    """One step of a CI job: what it runs (a shell text) or uses (an action with its ref)."""

    name: str
    run: str
    uses: str
    at: Location
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One CI definition of any host, read into one shape.

    ``triggers`` are ``push``, ``pull_request``, ``schedule``, ``manual``, ``release`` or the host's own word; ``crons``
    the schedules.
    """

    host: str
    path: str
    name: str
    triggers: tuple[str, ...]
    crons: tuple[str, ...]
    steps: tuple[WorkflowStep, ...]
    document: Document | None

    def running(self, *words: str) -> tuple[WorkflowStep, ...]:
        """The steps whose shell text or action holds one of these words (regular expressions, any case)."""
        found = re.compile("|".join(words), re.IGNORECASE)
        return tuple(each for each in self.steps if found.search(each.run) or found.search(each.uses))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudResource:
    """One resource of Terraform, CloudFormation or Pulumi YAML; ``type`` is the tool's own (``aws_s3_bucket``)."""

    tool: str
    type: str
    name: str
    properties: Plain
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefinition:
    """One pipeline of an orchestrator.

    ``tool`` is airflow, kubeflow, prefect, dagster, metaflow, zenml, argo, dvc, mlflow, kedro, snakemake, make, ray,
    sagemaker, vertex, azureml, flyte or mlwright. ``schedule`` is its text, "" without one.
    """

    tool: str
    name: str
    schedule: str
    steps: tuple[str, ...]
    retries: bool
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alerting rule of Prometheus (also from a PrometheusRule object) or Grafana."""

    name: str
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One direct dependency. ``name`` is normalised (PEP 503), ``specifier`` as written ("" without one).

    ``pinned`` is ``==`` (or a digest, a commit); ``hashed`` has ``--hash`` or stands in a lock file with digests.
    ``group`` is "" for what the program needs to run, else the extra's or group's name.
    """

    name: str
    specifier: str
    pinned: bool
    hashed: bool
    group: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOption:
    """A setting of where packages come from: ``--index-url``, ``--trusted-host``, a source of poetry, uv or Pipenv.

    ``text`` is as written, with user names and passwords taken out of its addresses.
    """

    path: str
    line: int
    text: str

    @property
    def at(self) -> Location:
        """Where it stands."""
        return Location(path=self.path, line=self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A file that fixes every dependency, also the indirect ones: uv.lock, poetry.lock, conda-lock, compiled pins, …"""

    path: str
    tool: str
    packages: int
    hashed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A document for people: README, model card, runbook, changelog. ``headings`` are its titles with lines.

    ``content`` is cut at 200 kB.
    """

    path: str
    content: str
    headings: tuple[tuple[str, int], ...]
