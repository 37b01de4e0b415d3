"""Pipelines that orchestrators define in Python."""

from collections.abc import Callable

import pytest

from mlwright.engineer.collect.making import Maker
from mlwright.engineer.collect.pipelines_python import pipelines_in
from mlwright.engineer.collect.python_source import parse_file
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import PipelineDefinition

Read = Callable[[str], tuple[PipelineDefinition, ...]]


def read(source: str, role: Role = Role.PRODUCTION) -> tuple[PipelineDefinition, ...]:
    return pipelines_in([Maker().python_file("p.py", role, parse_file("p.py", source.encode()))])


AIRFLOW = """
from airflow import DAG
from airflow.operators.python import PythonOperator
defaults = {"retries": 2}
with DAG("train", schedule_interval="@daily", default_args=defaults) as dag:
    fit = PythonOperator(task_id="fit", python_callable=f)
    check = PythonOperator(task_id="check", python_callable=g)
"""
DECORATED = """
from airflow.decorators import dag, task
@task(retries=3)
def fit():
    pass
@dag(schedule="0 3 * * *")
def train():
    fit()
"""
KFP = """
from kfp import dsl
@dsl.component
def fit():
    pass
@dsl.pipeline(name="churn")
def pipeline():
    fit().set_retry(2)
"""
PREFECT = """
from prefect import flow, task
@task(retries=2)
def fit():
    pass
@flow(name="weekly")
def train():
    fit()
train.serve(name="x", cron="0 3 * * 1")
"""
DAGSTER = """
import dagster as dg
@dg.asset
def rows():
    pass
@dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
def model(rows):
    pass
nightly = dg.ScheduleDefinition(job=dg.define_asset_job("all"), cron_schedule="0 0 * * *")
"""
METAFLOW = """
from metaflow import FlowSpec, step, schedule, retry
@schedule(daily=True)
class Train(FlowSpec):
    @retry(times=2)
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
"""
ZENML = """
from zenml import pipeline, step
@step
def fit():
    pass
@pipeline
def training():
    fit()
"""
KEDRO = """
from kedro.pipeline import Pipeline, node
def create_pipeline():
    return Pipeline([node(fit, "rows", "model", name="fit"), node(check, "model", None)])
"""
SAGEMAKER = """
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.steps import TrainingStep
fit = TrainingStep(name="Fit", step_args=args)
pipeline = Pipeline(name="churn", steps=[fit])
"""
MLWRIGHT = """
from mlwright import pipeline, step
@step(retries=2)
def fit(rows):
    pass
@pipeline
def train():
    fit(1)
"""

CASES = {
    "airflow": (AIRFLOW, ("train", "@daily", ("fit", "check"), True, 5)),
    "airflow, decorated": (DECORATED, ("train", "0 3 * * *", ("fit",), True, 7)),
    "kubeflow": (KFP, ("churn", "", ("fit",), True, 7)),
    "prefect": (PREFECT, ("weekly", "0 3 * * 1", ("fit",), True, 7)),
    "dagster": (DAGSTER, ("p", "0 0 * * *", ("rows", "model"), True, 4)),
    "metaflow": (METAFLOW, ("Train", "daily", ("start", "end"), True, 4)),
    "zenml": (ZENML, ("training", "", ("fit",), False, 7)),
    "kedro": (KEDRO, ("create_pipeline", "", ("fit", "check"), False, 4)),
    "sagemaker": (SAGEMAKER, ("churn", "", ("Fit",), False, 5)),
    "mlwright": (MLWRIGHT, ("train", "", ("fit",), True, 7)),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_pipeline_is_read(name: str) -> None:
    source, (title, schedule, steps, retries, line) = CASES[name]
    (found,) = read(source)
    assert found.tool == name.partition(",")[0]
    assert (found.name, found.schedule, found.steps, found.retries) == (title, schedule, steps, retries)
    assert (found.at.path, found.at.line) == ("p.py", line)


def test_no_schedule_is_none() -> None:
    assert read(AIRFLOW.replace('"@daily"', "None"))[0].schedule == ""
    assert read(AIRFLOW.replace('"retries": 2', '"retries": 0'))[0].retries is False


def test_a_name_that_only_looks_like_one_is_none() -> None:
    assert (
        read("from sklearn.pipeline import Pipeline\nPipeline([('a', b)])\n@pipeline\ndef f():\n    pass\n")
        == ()
    )


def test_tests_and_examples_define_none() -> None:
    assert read(ZENML, Role.EXAMPLE) == ()
