"""The whole pass: order, bounds, and that no tree that a file may hold makes it raise."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlwright.engineer.collect.configuration import Configuration, read_configuration
from mlwright.engineer.collect.dependencies import Dependencies
from mlwright.engineer.collect.walk import walk
from mlwright.engineer.facts.configuration import Document, DocumentKind

Read = Callable[[Mapping[str, str | bytes]], Configuration]

KEYS = [
    *(
        "apiVersion",
        "kind",
        "spec",
        "metadata",
        "name",
        "template",
        "containers",
        "image",
        "items",
        "predictor",
    ),
    *(
        "on",
        "jobs",
        "steps",
        "run",
        "uses",
        "schedule",
        "cron",
        "script",
        "stages",
        "extends",
        "include",
        "rules",
    ),
    *(
        "groups",
        "alert",
        "expr",
        "labels",
        "annotations",
        "title",
        "data",
        "model",
        "panels",
        "schemaVersion",
    ),
    *(
        "Resources",
        "Type",
        "Properties",
        "services",
        "build",
        "dependencies",
        "pip",
        "project",
        "tool",
        "poetry",
    ),
    *(
        "group",
        "source",
        "url",
        "packages",
        "resources",
        "tasks",
        "root",
        "dag",
        "pipelineInfo",
        "entry_points",
    ),
    *(
        "patches",
        "path",
        "workflowSpec",
        "templates",
        "predictors",
        "componentSpecs",
        "command",
        "args",
        "trigger",
    ),
    *(
        "triggers",
        "pipelines",
        "orbs",
        "workflows",
        "retrain",
        "pipeline",
        "deployments",
        "workflow",
        "only",
        "if",
    ),
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(
        [
            "Deployment",
            "List",
            "CronJob",
            "Workflow",
            "InferenceService",
            "PrometheusRule",
            "v1",
            "train",
            "a::b",
            "x",
        ]
    ),
)
TREES = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)
PATHS = [
    *(
        ".github/workflows/a.yml",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "azure-pipelines.yml",
        ".drone.yml",
    ),
    *("bitbucket-pipelines.yml", "k.yaml", "docker-compose.yml", "dvc.yaml", "MLproject", "environment.yml"),
    *(
        "kustomization.yaml",
        "values.yaml",
        "Pulumi.yaml",
        "prefect.yaml",
        "x.json",
        ".github/actions/a/action.yml",
    ),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(PATHS), TREES, min_size=1, max_size=4))
def test_no_tree_makes_it_raise(tmp_path: Path, trees: dict[str, object]) -> None:
    root = tmp_path / "r"
    for path in PATHS:
        (root / path).unlink(missing_ok=True)
    for path, tree in trees.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps(tree))  # JSON is YAML
    found = read_configuration(root, walk(root).files)
    assert list(found.documents) == sorted(found.documents, key=lambda each: (each.path, each.index))


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_no_pyproject_makes_it_raise(tree: object) -> None:
    for name, kind in (("pyproject.toml", DocumentKind.PYPROJECT), ("Pipfile", DocumentKind.OTHER)):
        Dependencies().add_document(Document(path=name, kind=kind, index=0, data=tree, lines={}))


def test_the_same_files_give_the_same_facts(read: Read) -> None:
    files = {f"d{n}/a.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: n{n}}}\n" for n in range(20)}
    first, second = read(files), read(dict(reversed(list(files.items()))))
    assert first == second
    assert [each.name for each in first.kubernetes] == [
        f"n{n}" for n in sorted(range(20), key=lambda n: f"d{n}/")
    ]


def test_what_is_not_read_is_noted(read: Read) -> None:
    found = read(
        {"a.yaml": "a: [", "b.yaml": b"x: 1\n" * 300_000, "c.tf": 'resource "a" "b" {', "d.json": "{"}
    )
    assert found.unread == (
        "a.yaml: not valid YAML at line 2",
        "b.yaml: larger than 1 MB",
        "c.tf: not valid HCL at line 1; only its headers were read",
        "d.json: not valid JSON",
    )
    assert [each.type for each in found.resources] == ["a"]


def test_a_thousand_manifests_are_read_soon(make_repository: Callable[[Mapping[str, str]], Path]) -> None:
    text = "".join(
        f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}}}\nspec: {{a: [1, 2]}}\n" for n in range(3)
    )
    root = make_repository({f"k/{n}.yaml": text for n in range(1_000)})
    files = walk(root).files
    begun = time.perf_counter()
    found = read_configuration(root, files)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement
    assert len(found.kubernetes) == 3_000
