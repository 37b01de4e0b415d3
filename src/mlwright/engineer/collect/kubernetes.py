"""Kubernetes objects and the containers of their pods; lists are taken apart, patches and templates marked as such."""

import posixpath
from collections.abc import Iterator, Sequence

from mlwright.engineer.collect.trees import PLACEHOLDER
from mlwright.engineer.facts.configuration import Container, Document, DocumentKind, KubernetesObject, Plain

Keys = tuple[str | int, ...]

_TEMPLATED_PODS = {
    *(
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "ReplicationController",
        "Rollout",
        "Service",
    ),
}
_SERVERS = {
    *("model", "sklearn", "xgboost", "lightgbm", "tensorflow", "pytorch", "onnx", "triton", "pmml", "paddle"),
    *("mlserver", "huggingface", "custom"),
}
_POD_KEYS = (
    "securityContext",
    "serviceAccountName",
    "automountServiceAccountToken",
    "volumes",
    "hostNetwork",
    "hostPID",
)


def objects_of(documents: Sequence[Document], templated: set[str]) -> tuple[KubernetesObject, ...]:
    """The Kubernetes objects of these documents; what kustomize only patches in counts as read in part."""
    patches = _patches(documents)
    found: list[KubernetesObject] = []
    for document in documents:
        if document.kind is not DocumentKind.KUBERNETES:
            continue
        partial = document.path in templated or document.path in patches or document.get("$patch") is not None
        for one in _taken_apart(document):
            kind, version = one.get("kind"), one.get("apiVersion")
            if isinstance(kind, str) and isinstance(version, str | int) and PLACEHOLDER not in kind:
                name = one.get("metadata", "name") or one.get("metadata", "generateName") or ""
                found.append(
                    KubernetesObject(
                        api_version=str(version), kind=kind, name=str(name), document=one, templated=partial
                    )
                )
    return tuple(found)


def _patches(documents: Sequence[Document]) -> set[str]:
    """The files that a kustomization lays over others."""
    found: set[str] = set()
    for document in documents:
        name = document.path.rpartition("/")[2].lower()
        if name not in {"kustomization.yaml", "kustomization.yml"}:
            continue
        folder = posixpath.dirname(document.path)
        for key in ("patchesStrategicMerge", "patchesJson6902", "patches"):
            values = document.get(key)
            for value in values if isinstance(values, list) else ():
                path = value.get("path") if isinstance(value, dict) else value
                if isinstance(path, str) and "\n" not in path:
                    found.add(posixpath.normpath(posixpath.join(folder, path)))
    return found


def _taken_apart(document: Document) -> Iterator[Document]:
    items = document.get("items")
    kind = document.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield document
        return
    lines: list[dict[Keys, int]] = [{} for _ in items]
    for path, line in document.lines.items():
        if len(path) >= 2 and path[0] == "items" and isinstance(path[1], int) and path[1] < len(items):
            lines[path[1]][path[2:]] = line
    for position, item in enumerate(items):
        if isinstance(item, dict):
            yield Document(
                path=document.path, kind=document.kind, index=document.index, data=item, lines=lines[position]
            )


def containers_of(objects: Sequence[KubernetesObject]) -> tuple[Container, ...]:
    """The containers of the pods that these objects make, without init containers, templates and patches.

    A template or a patch shows only a part of its container, so that what it lacks may well be there in the end.
    """
    return tuple(
        container
        for each in objects
        if not each.templated
        for keys, pod, blocks in _pods(each)
        for container in _containers(each, keys, pod, blocks)
    )


def _containers(
    one: KubernetesObject, keys: Keys, pod: dict[str, Plain], blocks: Sequence[Keys]
) -> Iterator[Container]:
    for block in blocks:
        spec = one.document.get(*keys, *block)
        if not isinstance(spec, dict):
            continue
        image = spec.get("image")
        if not isinstance(image, str) and one.kind not in {"InferenceService", "SeldonDeployment"}:
            continue
        yield Container(
            workload=one.name,
            kind=one.kind,
            name=str(spec.get("name") or (block[0] if block else "")),
            image=image if isinstance(image, str) else "",
            spec=spec,
            pod=pod,
            at=one.document.at(*keys, *block),
        )


def _pods(one: KubernetesObject) -> Iterator[tuple[Keys, dict[str, Plain], list[Keys]]]:
    """(path of the pod, the pod, paths of its containers from there) for each pod that an object makes."""
    document = one.document
    for keys in _pod_paths(one):
        pod = document.get(*keys)
        if not isinstance(pod, dict):
            continue
        listed = pod.get("containers")
        blocks: list[Keys] = [
            ("containers", at) for at in range(len(listed) if isinstance(listed, list) else 0)
        ]
        if one.kind == "InferenceService":
            blocks += [(name,) for name in sorted(_SERVERS & set(pod))]
        if one.kind in _WORKFLOWS:
            blocks += [(name,) for name in ("container", "script") if name in pod]
            above = document.get(*keys[:-2])
            shared = {key: above[key] for key in _POD_KEYS if key in above} if isinstance(above, dict) else {}
            pod = {**shared, **pod}
        yield keys, pod, blocks


_WORKFLOWS = {"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"}


def _pod_paths(one: KubernetesObject) -> Iterator[Keys]:
    document, kind = one.document, one.kind
    if kind == "Pod":
        yield ("spec",)
    elif kind in _TEMPLATED_PODS:
        yield ("spec", "template", "spec")
    elif kind == "CronJob":
        yield ("spec", "jobTemplate", "spec", "template", "spec")
    elif kind == "InferenceService":
        yield from (("spec", name) for name in ("predictor", "transformer", "explainer"))
    elif kind in _WORKFLOWS:
        above: Keys = (
            ("spec", "workflowSpec", "templates") if kind == "CronWorkflow" else ("spec", "templates")
        )
        yield from ((*above, at) for at in range(_length(document.get(*above))))
    elif kind == "SeldonDeployment":
        for at in range(_length(document.get("spec", "predictors"))):
            specs: Keys = ("spec", "predictors", at, "componentSpecs")
            yield from ((*specs, place, "spec") for place in range(_length(document.get(*specs))))
    else:
        yield from _groups(document)


def _groups(document: Document) -> Iterator[Keys]:
    """The pods of Ray clusters and of the training operators' jobs."""
    for cluster in (("spec", "rayClusterConfig"), ("spec", "rayClusterSpec"), ("spec",)):
        if document.get(*cluster, "headGroupSpec") is not None:
            yield (*cluster, "headGroupSpec", "template", "spec")
            workers: Keys = (*cluster, "workerGroupSpecs")
            yield from ((*workers, at, "template", "spec") for at in range(_length(document.get(*workers))))
    spec = document.get("spec")
    for key in sorted(spec) if isinstance(spec, dict) else ():
        if key.endswith("ReplicaSpecs") and isinstance(spec[key], dict):
            yield from (("spec", key, role, "template", "spec") for role in sorted(spec[key]))


def _length(value: Plain) -> int:
    return len(value) if isinstance(value, list) else 0
