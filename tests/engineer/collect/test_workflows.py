"""CI of every host in one shape."""

import time
from collections.abc import Callable, Mapping

import pytest

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.workflows import jenkins

Read = Callable[[Mapping[str, str | bytes]], Configuration]

GITHUB = """\
name: ci
on:
  push: {branches: [main]}
  pull_request:
  workflow_dispatch:
  schedule:
    - cron: "0 3 * * 1"
jobs:
  test:
    steps:
      - uses: actions/checkout@v4
      - uses: ./.github/actions/setup
      - name: tests
        run: |
          pytest
  call:
    uses: org/repo/.github/workflows/x.yml@main
"""
ACTION = "runs:\n  using: composite\n  steps:\n    - run: pip install x\n      shell: bash\n"


def test_github_with_the_steps_of_its_own_actions(read: Read) -> None:
    (found,) = read(
        {".github/workflows/ci.yml": GITHUB, ".github/actions/setup/action.yml": ACTION}
    ).workflows
    assert (found.host, found.name, found.crons) == ("github", "ci", ("0 3 * * 1",))
    assert found.triggers == ("manual", "pull_request", "push", "schedule")
    assert [(each.run.strip(), each.uses, each.job, each.at.line) for each in found.steps] == [
        ("", "actions/checkout@v4", "test", 11),
        ("", "./.github/actions/setup", "test", 12),
        ("pip install x", "", "test", 12),
        ("pytest", "", "test", 14),
        ("", "org/repo/.github/workflows/x.yml@main", "call", 17),
    ]


@pytest.mark.parametrize(
    ("on", "triggers"), [("push", ("push",)), ("[push, release]", ("push", "release")), ("5", ())]
)
def test_the_forms_of_on(on: str, triggers: tuple[str, ...], read: Read) -> None:
    (found,) = read({".github/workflows/a.yml": f"on: {on}\njobs: {{}}\n"}).workflows
    assert found.triggers == triggers


GITLAB = """\
stages: [a]
.base: {before_script: [pip install .]}
tests:
  extends: .base
  script: [pytest, [ruff, mypy]]
  rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}, {if: '$CI_PIPELINE_SOURCE == "schedule"'}]
deploy: {script: ./deploy.sh, when: manual}
include: [{template: Security/SAST.gitlab-ci.yml}]
"""
CIRCLE = """\
orbs: {python: circleci/python@2}
jobs:
  t:
    steps:
      - checkout
      - run: pytest
      - run: {name: lint, command: ruff check}
workflows:
  nightly: {triggers: [{schedule: {cron: "0 0 * * *"}}], jobs: [t]}
"""
AZURE = """\
trigger: [main]
pr: [main]
schedules: [{cron: "0 0 * * *"}]
stages:
  - stage: s
    jobs:
      - deployment: d
        strategy: {runOnce: {deploy: {steps: [{script: kubectl apply -f k}]}}}
      - job: t
        steps: [{bash: pytest, displayName: tests}, {task: UsePythonVersion@0}]
"""
BITBUCKET = (
    "pipelines: {default: [{step: {script: [pytest]}}], pull-requests: {'**': [{step: {script: [ruff]}}]}}\n"
)


@pytest.mark.parametrize(
    ("path", "text", "host", "triggers", "runs"),
    [
        (
            ".gitlab-ci.yml",
            GITLAB,
            "gitlab",
            ("manual", "pull_request", "schedule"),
            ("pip install .\npytest\nruff\nmypy", "./deploy.sh", "Security/SAST"),
        ),
        (
            ".circleci/config.yml",
            CIRCLE,
            "circleci",
            ("push", "schedule"),
            ("pytest", "ruff check", "circleci/python"),
        ),
        (
            "azure-pipelines.yml",
            AZURE,
            "azure",
            ("pull_request", "push", "schedule"),
            ("kubectl apply", "pytest", "UsePython"),
        ),
        ("bitbucket-pipelines.yml", BITBUCKET, "bitbucket", ("pull_request", "push"), ("pytest", "ruff")),
        (".travis.yml", "install: pip install .\nscript: [pytest]\n", "travis", ("push",), ("pytest",)),
        (
            ".drone.yml",
            "kind: pipeline\nsteps: [{name: t, image: p, commands: [pytest]}]\ntrigger: {event: [cron]}\n",
            "drone",
            ("schedule",),
            ("pytest",),
        ),
    ],
)
def test_other_hosts(
    path: str, text: str, host: str, triggers: tuple[str, ...], runs: tuple[str, ...], read: Read
) -> None:
    (found,) = read({path: text}).workflows
    assert (found.host, found.triggers) == (host, triggers)
    for run in runs:
        assert any(run in each.run or run in each.uses for each in found.steps), run


def test_jenkins() -> None:
    text = "pipeline { triggers { cron('H 3 * * *') }\n stages { stage('Test') { steps {\n"
    text += " sh 'pytest -q'\n sh '''\n a\n'''\n"
    found = jenkins("Jenkinsfile", text + "sh(script: \"deploy\", label: 'x') }}}}")
    assert [(each.job, each.run.strip(), each.at.line) for each in found.steps] == [
        ("Test", "pytest -q", 3),
        ("Test", "a", 4),
        ("Test", "deploy", 7),
    ]
    assert (found.triggers, found.crons) == (("push", "schedule"), ("H 3 * * *",))


def test_a_hostile_jenkinsfile_takes_no_time() -> None:
    begun = time.perf_counter()
    for text in ("sh '''" * 50_000, "sh " + " " * 300_000, "sh(label:" * 30_000, "stage(" * 50_000):
        jenkins("Jenkinsfile", text)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement
