"""Pipelines of orchestrators that are defined in Python: what they are called, their steps, schedule and retries."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mlwright.engineer.facts.code import Argument, Call, Class, Function, PythonFile, Role
from mlwright.engineer.facts.configuration import PipelineDefinition

_DECORATORS: Final = {
    "airflow.decorators.dag": "airflow", "airflow.sdk.dag": "airflow", "kfp.dsl.pipeline": "kubeflow",
    "kfp.v2.dsl.pipeline": "kubeflow", "prefect.flow": "prefect", "prefect.flows.flow": "prefect",
    "dagster.job": "dagster", "dagster.graph": "dagster", "zenml.pipeline": "zenml",
    "zenml.pipelines.pipeline": "zenml", "mlwright.pipeline": "mlwright", "azure.ai.ml.dsl.pipeline": "azureml",
    "flytekit.workflow": "flyte",
}  # fmt: skip
_STEPS: Final = {
    "airflow": ("airflow.decorators.task", "airflow.sdk.task"),
    "kubeflow": ("kfp.dsl.component", "kfp.v2.dsl.component", "kfp.components"),
    "prefect": ("prefect.task", "prefect.tasks.task"),
    "dagster": ("dagster.op", "dagster.asset", "dagster.multi_asset", "dagster.asset_check"),
    "zenml": ("zenml.step", "zenml.steps.step"),
    "mlwright": ("mlwright.step",),
    "azureml": ("mldesigner.command_component",),
    "flyte": ("flytekit.task",),
    "ray": ("ray.remote",),
}
_MADE: Final = {
    "kedro.pipeline.Pipeline": "kedro", "kedro.pipeline.pipeline": "kedro",
    "kedro.pipeline.modular_pipeline.pipeline": "kedro", "sagemaker.workflow.pipeline.Pipeline": "sagemaker",
    "sagemaker.mlops.workflow.pipeline.Pipeline": "sagemaker",
    "google.cloud.aiplatform.PipelineJob": "vertex", "google.cloud.aiplatform.pipeline_jobs.PipelineJob": "vertex",
    "azureml.pipeline.core.Pipeline": "azureml", "ray.workflow.run": "ray",
}  # fmt: skip
_RUNS: Final = (Role.PRODUCTION, Role.TOOL)
_DAGS: Final = frozenset(("airflow.DAG", "airflow.models.DAG", "airflow.models.dag.DAG", "airflow.sdk.DAG"))
_SCHEDULES: Final = ("schedule", "schedule_interval", "cron", "cron_schedule", "timetable")
_RETRIES: Final = re.compile(r"retry|retries|max_attempts", re.IGNORECASE)
_OPERATOR: Final = re.compile(r"(Operator|Sensor)(Async)?$")


def pipelines_in(files: Sequence[PythonFile]) -> tuple[PipelineDefinition, ...]:
    """The pipelines that these files define, in their order; those of tests, examples and documents are left out."""
    return tuple(each for file in files if file.role in _RUNS for each in _pipelines(file))


def _pipelines(file: PythonFile) -> Iterator[PipelineDefinition]:
    for function in file.functions:
        tool = next((_DECORATORS[name] for name in function.decorators if name in _DECORATORS), None)
        if tool is not None:
            yield _decorated(file, function, tool)
    for call in file.calls:
        if call.name in _DAGS:
            yield _dag(file, call)
        elif call.name in _MADE:
            yield _made(file, call, _MADE[call.name])
    for each in file.classes:
        if any(base in ("metaflow.FlowSpec", "FlowSpec") for base in each.bases) and file.imports_any(
            "metaflow"
        ):
            yield _flow(file, each)
    yield from _assets(file)


def _decorated(file: PythonFile, function: Function, tool: str) -> PipelineDefinition:
    head = _decorator_call(file, function)
    steps = _step_functions(file, tool)
    names = {each.name for each in steps}
    inside = [call for call in file.calls if call.scope == function.name]
    called = [call.name for call in inside if call.name in names]
    named = [_text(call, "task_id") for call in inside if _is_operator(call)]
    return PipelineDefinition(
        tool=tool,
        name=_text(head, "name", "dag_id", "display_name") or function.name,
        schedule=_schedule(head) or _scheduled_elsewhere(file, tool, function.name),
        steps=tuple(dict.fromkeys([*called, *filter(None, named)])) or tuple(each.name for each in steps),
        retries=_retries([*([head] if head else []), *inside, *_decorator_calls(file, steps)], file),
        at=file.at(function),
    )


def _dag(file: PythonFile, call: Call) -> PipelineDefinition:
    operators = [each for each in file.calls if _is_operator(each)]
    steps = [_text(each, "task_id") for each in operators]
    tasks = _step_functions(file, "airflow")
    return PipelineDefinition(
        tool="airflow",
        name=_text(call, "dag_id", position=0),
        schedule=_schedule(call),
        steps=tuple(dict.fromkeys([*filter(None, steps), *(each.name for each in tasks)])),
        retries=_retries([call, *operators], file) or _retries(_decorator_calls(file, tasks), file),
        at=file.at(call),
    )


def _made(file: PythonFile, call: Call, tool: str) -> PipelineDefinition:
    if tool == "kedro":
        nodes = [
            each for each in file.calls if each.name in ("kedro.pipeline.node", "kedro.pipeline.node.node")
        ]
        steps = [_text(each, "name") or (each.args[0].text if each.args else "") for each in nodes]
    else:
        steps = [
            _text(each, "name") for each in file.calls if each.name.endswith("Step") and each.argument("name")
        ]
    return PipelineDefinition(
        tool=tool,
        name=_text(call, "name", "display_name", "description") or (call.scope or tool),
        schedule=_scheduled_elsewhere(file, tool, ""),
        steps=tuple(dict.fromkeys(filter(None, steps))),
        retries=_retries(file.calls, file),
        at=file.at(call),
    )


def _flow(file: PythonFile, flow: Class) -> PipelineDefinition:
    methods = [each for each in file.functions if each.name.startswith(f"{flow.name}.")]
    steps = [each for each in methods if "metaflow.step" in each.decorators]
    schedule = next((call for call in file.calls if call.name == "metaflow.schedule"), None)
    when = schedule.args[0].text.strip("'\"") if schedule is not None and schedule.args else ""
    if schedule is not None and schedule.args and schedule.args[0].keyword:
        when = (
            schedule.args[0].text.strip("'\"")
            if schedule.args[0].keyword == "cron"
            else schedule.args[0].keyword
        )
    return PipelineDefinition(
        tool="metaflow",
        name=flow.name,
        schedule=when,
        steps=tuple(each.name.rpartition(".")[2] for each in steps),
        retries=any("metaflow.retry" in each.decorators for each in steps),
        at=file.at(flow),
    )


def _assets(file: PythonFile) -> Iterator[PipelineDefinition]:
    """Assets of Dagster are a pipeline without one function that says so."""
    assets = [each for each in file.functions if "dagster.asset" in each.decorators]
    jobs = any(
        name in ("dagster.job", "dagster.graph") for each in file.functions for name in each.decorators
    )
    if assets and not jobs:
        yield PipelineDefinition(
            tool="dagster",
            name=file.path.rpartition("/")[2].removesuffix(".py"),
            schedule=_scheduled_elsewhere(file, "dagster", ""),
            steps=tuple(each.name for each in assets),
            retries=_retries(_decorator_calls(file, assets), file),
            at=file.at(assets[0]),
        )


def _step_functions(file: PythonFile, tool: str) -> list[Function]:
    wanted = _STEPS.get(tool, ())
    return [each for each in file.functions if any(name.startswith(wanted) for name in each.decorators)]


def _decorator_calls(file: PythonFile, functions: Sequence[Function]) -> list[Call]:
    return [call for each in functions if (call := _decorator_call(file, each)) is not None]


def _decorator_call(file: PythonFile, function: Function) -> Call | None:
    """The call of a decorator, which stands on the lines right above its function."""
    above = [call for call in file.calls if call.name in function.decorators and call.cell == function.cell]
    return next((call for call in reversed(above) if call.line < function.line), None)


def _is_operator(call: Call) -> bool:
    return _OPERATOR.search(call.name) is not None and call.argument("task_id") is not None


def _text(call: Call | None, *keywords: str, position: int | None = None) -> str:
    if call is None:
        return ""
    for keyword in keywords:
        found = call.argument(keyword)
        if found is not None:
            return str(found.value) if found.constant and found.value is not None else found.text
    positional = [each for each in call.args if each.keyword is None]
    if position is not None and position < len(positional):
        found = positional[position]
        return str(found.value) if found.constant and found.value is not None else found.text
    return ""


def _schedule(call: Call | None) -> str:
    if call is None:
        return ""
    for keyword in _SCHEDULES:
        found = call.argument(keyword)
        if found is not None and not (found.constant and found.value in (None, "@once", "None", "")):
            return str(found.value) if found.constant else found.text
    return ""


_SCHEDULERS: Final = {
    "prefect": re.compile(r"(^|\.)(serve|deploy|build_from_flow|to_deployment)$"),
    "dagster": re.compile(r"^dagster\.(Schedule\w*|schedule|build_schedule_from_partitioned_job)$"),
    "kubeflow": re.compile(r"(^|\.)(create_recurring_run|create_schedule)$"),
    "vertex": re.compile(r"(^|\.)create_schedule$"),
    "sagemaker": re.compile(r"(^|\.)(put_triggers|create_schedule)$"),
    "zenml": re.compile(r"(^|\.)Schedule$"),
    "azureml": re.compile(r"(^|\.)(JobSchedule|RecurrenceTrigger|CronTrigger)$"),
    "flyte": re.compile(r"(^|\.)(CronSchedule|FixedRate)$"),
}


def _scheduled_elsewhere(file: PythonFile, tool: str, name: str) -> str:
    """A schedule that is given in the same file, apart from the definition: ``flow.serve(cron=…)`` and its kin."""
    pattern = _SCHEDULERS.get(tool)
    for call in file.calls if pattern is not None else ():
        another = tool == "prefect" and name and call.receiver and not call.receiver.startswith(name)
        if pattern is None or not pattern.search(call.name) or another:
            continue
        for keyword in (*_SCHEDULES, "cron_expression", "interval", "expression", "interval_second"):
            found = call.argument(keyword)
            if found is not None and not (found.constant and found.value is None):
                return str(found.value) if found.constant else found.text
    return ""


def _retries(calls: Sequence[Call], file: PythonFile) -> bool:
    for call in calls:
        if call.method in ("set_retry", "RetryPolicy", "StepRetryPolicy", "with_retry"):
            return True
        for each in call.args:
            if each.keyword and _RETRIES.search(each.keyword) and not (each.constant and not each.value):
                return True
            if each.keyword == "default_args" and _in_defaults(each, file):
                return True
    return False


def _in_defaults(defaults: Argument, file: PythonFile) -> bool:
    """Whether Airflow's ``default_args`` ask for retries: written on the spot, or in a dictionary of the file."""
    if re.search(r"retries['\"]?\s*[:=]\s*[1-9]", defaults.text):
        return True
    return any(
        given.name.partition(".")[0] in defaults.names
        and given.name.endswith(".retries")
        and bool(given.value)
        for given in file.assignments
    )
