"""Pipelines that are declared outside of Python: DVC, MLproject, Argo, Kubeflow, Make, Snakemake, CI schedules."""

import re
from collections.abc import Iterator, Sequence

from mlwright.engineer.collect.steps import dicts_below, strings
from mlwright.engineer.facts.configuration import (
    Container,
    Document,
    DocumentKind,
    KubernetesObject,
    PipelineDefinition,
    Plain,
    Workflow,
)
from mlwright.model.findings import Location

TRAINS = re.compile(
    r"(?:^|[\s/;&|\"'=_.-])(?:re)?train(?:ing|er)?(?:[_-]\w{1,40})?(?:\.py|\.sh|\.ipynb)?(?=$|[\s;&|\"'])"
    r"|\bdvc\s+(?:repro|exp\s+run)\b|\bmlflow\s+run\b|\bkedro\s+run\b|\bsnakemake\b|\bmlwright\s+(?:train|retrain|tick)\b"
    r"|\bcml\s+runner\b|\bpython\s+-m\s+[\w.]{0,100}train\w{0,40}|\baccelerate\s+launch\b|\btorchrun\b"
    r"|\bgcloud\s+ai\s+custom-jobs\s+create\b|\baz\s+ml\s+job\s+create\b|\bprefect\s+deployment\s+run\b",
    re.IGNORECASE | re.MULTILINE,
)
_TARGET = re.compile(r"^([A-Za-z0-9_./-]{1,80})[ \t]*:(?!=)[ \t]*([^=#;\n]{0,400})", re.MULTILINE)
_TRAIN_TARGET = re.compile(r"(?:^|[-_./])(?:(?:re)?train(?:ing)?|fit|pipeline|repro|experiment)(?:$|[-_./])")
_NO_TRAINING = re.compile(
    r"^\.|(?:^|[-_./])(?:tests?|clean|lint|docs?|build|install|help|check|format|push|image)(?:$|[-_./])"
)
_RULE = re.compile(r"^(?:rule|checkpoint)[ \t]+(\w{1,80})[ \t]*:", re.MULTILINE)


def pipelines_of(
    documents: Sequence[Document],
    objects: Sequence[KubernetesObject],
    containers: Sequence[Container],
    workflows: Sequence[Workflow],
) -> tuple[PipelineDefinition, ...]:
    """The pipelines that documents, Kubernetes objects and CI schedules define.

    Next to the tools that PipelineDefinition names there are ``kubernetes`` (a CronJob that trains), ``ci`` (a
    scheduled workflow that trains), ``dbt``, ``databricks`` and ``poe``.
    """
    found = [one for document in documents for one in _of_document(document)]
    found += [one for each in objects for one in _of_object(each)]
    found += _cron_jobs(objects, containers)
    found += [one for each in workflows for one in _scheduled(each)]
    return tuple(sorted(found, key=lambda each: (each.at.path, each.at.line or 0, each.tool, each.name)))


def _pipeline(
    tool: str, name: str, at: Location, steps: Sequence[str] = (), schedule: str = "", retries: bool = False
) -> PipelineDefinition:
    return PipelineDefinition(
        tool=tool, name=name, schedule=schedule, steps=tuple(steps), retries=retries, at=at
    )


def _names(value: Plain) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else ""


def _of_document(document: Document) -> Iterator[PipelineDefinition]:
    name = document.path.rpartition("/")[2].lower()
    if document.kind is DocumentKind.DVC:
        stages = _names(document.get("stages")) if name == "dvc.yaml" else []
        if stages:
            yield _pipeline("dvc", document.path, document.at("stages"), stages)
    elif document.kind is DocumentKind.ML_PROJECT:
        entries = _names(document.get("entry_points"))
        if entries:
            yield _pipeline("mlflow", _text(document.get("name")), document.at("entry_points"), entries)
    elif document.kind is DocumentKind.DBT:
        if name.startswith("dbt_project"):
            yield _pipeline("dbt", _text(document.get("name")), document.at("name"))
    elif document.kind is DocumentKind.MLWRIGHT:
        yield from _mlwright(document)
    elif document.kind is DocumentKind.PYPROJECT:
        if isinstance(document.get("tool", "kedro"), dict):
            yield _pipeline(
                "kedro", _text(document.get("tool", "kedro", "project_name")), document.at("tool", "kedro")
            )
        tasks = _names(document.get("tool", "poe", "tasks"))
        if any(_TRAIN_TARGET.search(each) for each in tasks):
            yield _pipeline("poe", "tasks", document.at("tool", "poe", "tasks"), tasks)
    elif document.kind is DocumentKind.OTHER and isinstance(document.data, dict):
        yield from _others(document, name)


def _mlwright(document: Document) -> Iterator[PipelineDefinition]:
    for keys, block in dicts_below(document, ()):
        if keys and keys[-1] == "retrain" and isinstance(block.get("pipeline"), str):
            on = strings(block.get("on"))
            schedule = next((each.partition(":")[2] for each in on if each.startswith("schedule:")), "")
            yield _pipeline("mlwright", block["pipeline"], document.at(*keys), on, schedule, retries=True)


def _others(document: Document, name: str) -> Iterator[PipelineDefinition]:
    tasks = document.get("root", "dag", "tasks")
    if isinstance(tasks, dict) and "pipelineInfo" in document.data:
        retries = any("retryPolicy" in each for _, each in dicts_below(document, ("root", "dag", "tasks")))
        title = _text(document.get("pipelineInfo", "name"))
        yield _pipeline("kubeflow", title, document.at("root"), _names(tasks), "", retries)
        return
    schema = _text(document.get("$schema"))
    if "azuremlschemas" in schema and ("jobs" in document.data or "trigger" in document.data):
        trigger = document.get("trigger")
        schedule = (
            _text(trigger.get("expression")) or _text(trigger.get("frequency"))
            if isinstance(trigger, dict)
            else ""
        )
        yield _pipeline("azureml", document.path, document.at(), _names(document.get("jobs")), schedule)
    elif name in {"prefect.yaml", "prefect.yml"}:
        listed = document.get("deployments")
        for position, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, dict):
                schedule = " ".join(
                    str(block["cron"]) if "cron" in block else str(block["interval"])
                    for _, block in dicts_below(document, ("deployments", position))
                    if "cron" in block or "interval" in block
                )
                at = document.at("deployments", position)
                yield _pipeline(
                    "prefect", _text(each.get("name")), at, (_text(each.get("entrypoint")),), schedule
                )
    elif isinstance(document.get("resources", "jobs"), dict):
        yield from _databricks(document)


def _databricks(document: Document) -> Iterator[PipelineDefinition]:
    """Jobs of a Databricks asset bundle."""
    for name, job in document.get("resources", "jobs").items():
        tasks = job.get("tasks") if isinstance(job, dict) else None
        if isinstance(tasks, list):
            schedule = job.get("schedule")
            cron = _text(schedule.get("quartz_cron_expression")) if isinstance(schedule, dict) else ""
            blocks = [each for each in tasks if isinstance(each, dict)]
            yield _pipeline(
                "databricks",
                name,
                document.at("resources", "jobs", name),
                [_text(each.get("task_key")) for each in blocks],
                cron,
                any("max_retries" in each for each in blocks),
            )


def _of_object(one: KubernetesObject) -> Iterator[PipelineDefinition]:
    document = one.document
    if one.kind in {"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"}:
        cron = one.kind == "CronWorkflow"
        above = ("spec", "workflowSpec") if cron else ("spec",)
        templates = document.get(*above, "templates")
        steps = [_text(each.get("name")) for each in templates or () if isinstance(each, dict)]
        retries = any("retryStrategy" in each for _, each in dicts_below(document, above))
        annotations = " ".join(_names(document.get("metadata", "annotations")))
        tool = "kubeflow" if "pipelines.kubeflow.org" in annotations else "argo"
        schedule = _text(document.get("spec", "schedule")) or " ".join(
            strings(document.get("spec", "schedules"))
        )
        yield _pipeline(tool, one.name, one.at, steps, schedule if cron else "", retries)
    elif one.kind == "RayJob":
        yield _pipeline("ray", one.name, one.at, (_text(document.get("spec", "entrypoint")),))
    elif one.kind == "ScheduledWorkflow":
        schedule = _text(document.get("spec", "trigger", "cronSchedule", "cron"))
        yield _pipeline("kubeflow", one.name, one.at, (), schedule)


def _command(container: Container) -> str:
    spec = container.spec
    parts = strings(spec.get("command")) + strings(spec.get("args"))
    return " ".join([*parts, _text(spec.get("command")), _text(spec.get("args"))])


def _cron_jobs(
    objects: Sequence[KubernetesObject], containers: Sequence[Container]
) -> Iterator[PipelineDefinition]:
    training = {
        (each.at.path, each.workload)
        for each in containers
        if each.kind == "CronJob" and (TRAINS.search(_command(each)) or TRAINS.search(each.workload))
    }
    for one in objects:
        if one.kind == "CronJob" and (one.document.path, one.name) in training:
            schedule = _text(one.document.get("spec", "schedule"))
            backoff = one.document.get("spec", "jobTemplate", "spec", "backoffLimit")
            yield _pipeline("kubernetes", one.name, one.at, (one.name,), schedule, backoff != 0)


def _scheduled(workflow: Workflow) -> Iterator[PipelineDefinition]:
    """A workflow on a schedule with a step that trains."""
    if "schedule" not in workflow.triggers:
        return
    steps = [each for each in workflow.steps if each.run and TRAINS.search(each.run)]
    if steps:
        at = workflow.document.at("on") if workflow.document is not None else steps[0].at
        names = [each.name or each.run.strip().split("\n", 1)[0][:80] for each in steps]
        yield _pipeline("ci", workflow.name, at, names, " ".join(workflow.crons) or "schedule")


def make_targets(path: str, text: str) -> tuple[PipelineDefinition, ...]:
    """The targets of a Makefile (or justfile) whose name says that they train, each with what it depends on."""
    found: list[PipelineDefinition] = []
    for target in _TARGET.finditer(text):
        name = target.group(1)
        if not _TRAIN_TARGET.search(name) or _NO_TRAINING.search(name) or len(found) >= 50:
            continue
        line = text.count("\n", 0, target.start()) + 1
        found.append(
            _pipeline("make", name, Location(path=path, line=line), (*target.group(2).split(), name))
        )
    return tuple(found)


def snakefile(path: str, text: str) -> tuple[PipelineDefinition, ...]:
    """The rules of a Snakefile as one pipeline."""
    rules = [
        (each.group(1), text.count("\n", 0, each.start()) + 1) for each in _RULE.finditer(text[:100_000])
    ]
    if not rules:
        return ()
    retries = re.search(r"^[ \t]+retries:", text, re.MULTILINE) is not None
    at = Location(path=path, line=rules[0][1])
    return (_pipeline("snakemake", path, at, [name for name, _ in rules], "", retries),)
