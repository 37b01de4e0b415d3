"""Kubernetes objects and Compose services as containers."""

from collections.abc import Callable, Mapping

import pytest

from mlwright.engineer.collect.configuration import Configuration

Read = Callable[[Mapping[str, str | bytes]], Configuration]

POD = "{containers: [{name: c, image: 'i:1'}], initContainers: [{name: init, image: j}]}"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", POD),
        ("Deployment", f"{{template: {{spec: {POD}}}}}"),
        ("StatefulSet", f"{{template: {{spec: {POD}}}}}"),
        ("Job", f"{{template: {{spec: {POD}}}}}"),
        ("Rollout", f"{{template: {{spec: {POD}}}}}"),
        ("CronJob", f"{{jobTemplate: {{spec: {{template: {{spec: {POD}}}}}}}}}"),
        ("SeldonDeployment", f"{{predictors: [{{componentSpecs: [{{spec: {POD}}}]}}]}}"),
        ("RayService", f"{{rayClusterConfig: {{headGroupSpec: {{template: {{spec: {POD}}}}}}}}}"),
        ("PyTorchJob", f"{{pytorchReplicaSpecs: {{Master: {{template: {{spec: {POD}}}}}}}}}"),
        ("Workflow", "{templates: [{name: t, container: {name: c, image: 'i:1'}}]}"),
        ("InferenceService", "{predictor: {model: {name: c, image: 'i:1'}}}"),
    ],
)
def test_the_containers_of_every_kind_of_workload(kind: str, spec: str, read: Read) -> None:
    found = read({"a.yaml": f"apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: w}}\nspec: {spec}\n"})
    assert [(each.workload, each.kind, each.name, each.image) for each in found.containers] == [
        ("w", kind, "c", "i:1")
    ]
    assert str(found.containers[0].at) == "a.yaml:4"
    assert [(each.kind, each.name, each.templated) for each in found.kubernetes] == [(kind, "w", False)]


def test_a_list_is_taken_apart_with_its_lines(read: Read) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec:\n"
    )
    found = read({"a.yaml": text + "    containers:\n    - image: i\n"})
    assert [(each.kind, each.name, str(each.at)) for each in found.kubernetes] == [("Pod", "a", "a.yaml:5")]
    assert str(found.containers[0].at) == "a.yaml:9"


def test_patches_and_templates_are_partial_and_make_no_containers(read: Read) -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: %s}}\n"
    found = read(
        {
            "base/d.yaml": deployment % ("a", POD),
            "over/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n",
            "over/p.yaml": deployment % ("a", POD),
            "chart/Chart.yaml": "name: c\n",
            "chart/templates/d.yaml": deployment % ("{{ .x }}", POD),
        }
    )
    assert [(each.document.path, each.templated) for each in found.kubernetes] == [
        ("base/d.yaml", False),
        ("chart/templates/d.yaml", True),
        ("over/p.yaml", True),
    ]
    assert [each.at.path for each in found.containers] == ["base/d.yaml"]


def test_manifests_of_tests_and_examples_are_left_out(read: Read) -> None:
    found = read(
        {f"{folder}/a.yaml": f"apiVersion: v1\nkind: Pod\nspec: {POD}\n" for folder in ("tests", "examples")}
    )
    assert found.kubernetes == ()
    assert found.documents == ()


def test_services_of_compose(read: Read) -> None:
    found = read(
        {
            "docker-compose.yml": "services:\n  db:\n    image: postgres:16\n  api:\n"
            "    build: .\n    ports: ['22:22']\n",
            "docker-compose.override.yml": "services:\n  db:\n    environment: {A: b}\n",
        }
    )
    assert [(each.name, each.kind, each.image, each.at.line) for each in found.containers] == [
        ("db", "compose", "postgres:16", 2),
        ("api", "compose", "", 4),
    ]
    assert found.containers[1].spec["ports"] == ["22:22"]
