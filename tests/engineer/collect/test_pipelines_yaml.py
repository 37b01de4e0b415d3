"""Pipelines and alerting rules that documents declare."""

from collections.abc import Callable, Mapping

import pytest

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.pipelines_yaml import TRAINS

Read = Callable[[Mapping[str, str | bytes]], Configuration]

CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 2 * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i, command: [python, %s]}]}}}}
"""
ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: w}
spec:
  schedule: "0 1 * * *"
  workflowSpec: {templates: [{name: load}, {name: fit, retryStrategy: {limit: 2}}]}
"""
GITHUB = "on:\n  schedule: [{cron: '0 5 * * *'}]\njobs: {a: {steps: [{name: go, run: '%s'}]}}\n"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "dvc.yaml",
            "stages:\n  load: {cmd: a}\n  train: {cmd: b}\n",
            ("dvc", ("load", "train"), "", False, 1),
        ),
        ("MLproject", "name: x\nentry_points:\n  main: {command: c}\n", ("mlflow", ("main",), "", False, 2)),
        ("w.yaml", ARGO, ("argo", ("load", "fit"), "0 1 * * *", True, 2)),
        ("c.yaml", CRON_JOB % "train.py", ("kubernetes", ("nightly",), "0 2 * * *", True, 2)),
        (".github/workflows/t.yml", GITHUB % "dvc repro", ("ci", ("go",), "0 5 * * *", False, 1)),
        (
            "Makefile",
            "a: b\n\ttrue\ntrain: data features\n\tpython train.py\n",
            ("make", ("data", "features", "train"), "", False, 3),
        ),
        (
            "Snakefile",
            "rule a:\n  input: 'x'\nrule b:\n  output: 'y'\n",
            ("snakemake", ("a", "b"), "", False, 1),
        ),
        (
            "pipeline.yaml",
            "pipelineInfo: {name: p}\nroot: {dag: {tasks: {one: {}, two: {retryPolicy: {}}}}}\n",
            ("kubeflow", ("one", "two"), "", True, 2),
        ),
        (
            "mlwright.toml",
            "[endpoints.a]\nretrain = { pipeline = 'fit', on = ['drift', 'schedule:monthly'] }\n",
            ("mlwright", ("drift", "schedule:monthly"), "monthly", True, 2),
        ),
        (
            "prefect.yaml",
            "deployments:\n- name: d\n  entrypoint: f.py:flow\n  schedules: [{cron: '0 0 * * *'}]\n",
            ("prefect", ("f.py:flow",), "0 0 * * *", False, 2),
        ),
    ],
)
def test_one_pipeline(
    path: str, text: str, expected: tuple[str, tuple[str, ...], str, bool, int], read: Read
) -> None:
    (found,) = read({path: text}).pipelines
    assert (found.tool, found.steps, found.schedule, found.retries, found.at.line) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("c.yaml", CRON_JOB % "backup.py"),
        (".github/workflows/t.yml", GITHUB % "pytest tests/"),
        (
            "Makefile",
            "install:\n\tpip install .\ntraining_data = 3\ntest_train:\n\tpytest\nclean-train:\n\trm x\n",
        ),
        ("dvc.yaml", "plots: []\n"),
    ],
)
def test_what_trains_nothing_is_no_pipeline(path: str, text: str, read: Read) -> None:
    assert read({path: text}).pipelines == ()


@pytest.mark.parametrize(
    ("command", "trains"),
    [
        ("python train.py --x", True),
        ("python -m app.train", True),
        ("make retrain", True),
        ("python src/train_model.py", True),
        ("mlwright tick", True),
        ("terraform apply", False),
        ("pytest -k constraint", False),
        ("pip install pretrained-models", False),
        ("restrained", False),
    ],
)
def test_which_commands_train(command: str, trains: bool) -> None:
    assert (TRAINS.search(command) is not None) is trains


def test_alerting_rules_of_prometheus_and_grafana(read: Read) -> None:
    found = read(
        {
            "rules.yml": "groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n"
            "  - alert: Down\n    expr: up == 0\n"
            "    labels: {severity: page}\n    annotations: {runbook_url: 'https://r/{{ $labels.x }}'}\n",
            "pr.yaml": "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
            "spec: {groups: [{rules: [{alert: B, expr: x}]}]}\n",
            "g.yaml": "apiVersion: 1\n"
            "groups: [{rules: [{title: T, data: [{model: {expr: rate(x)}}], labels: {team: ml}}]}]\n",
        }
    )
    assert [(each.name, each.expression, str(each.at)) for each in found.alerts] == [
        ("T", "rate(x)", "g.yaml:2"),
        ("B", "x", "pr.yaml:3"),
        ("Down", "up == 0", "rules.yml:6"),
    ]
    assert found.alerts[2].labels == {"severity": "page"}
    assert found.alerts[2].annotations == {"runbook_url": "https://r/{{ $labels.x }}"}
