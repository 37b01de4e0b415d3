"""The bill of materials of a model version: CycloneDX 1.6 in JSON, with a component of type machine-learning-model.

Written by hand: the Python library of CycloneDX (11.12) has no model card in its component. The schema that it follows
is https://cyclonedx.org/schema/bom-1.6.schema.json.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from mlwright.model.cards import CAVEATS, ETHICS, JUDGEMENTS, USE, todo
from mlwright.model.evidence import EvidenceKind
from mlwright.model.tracking import DatasetInput
from mlwright.stages.registry.dossier import Dossier, Package

SPEC: Final = "1.6"
_BLAKE3: Final = re.compile(r"blake3:([0-9a-f]{64})")


def bill_of_materials(dossier: Dossier, *, at: datetime, tool: str) -> dict[str, object]:
    """The document as plain values; the same version always has the same serial number.

    Args:
        dossier: what is known.
        at: when it is written.
        tool: version of mlwright.
    """
    version = dossier.version
    model = f"model:{version.ref}"
    packages = [_library(each) for each in dossier.packages()]
    data = [_dataset(each) for each in dossier.inputs]
    python = _python(dossier)
    serial = uuid5(NAMESPACE_URL, f"mlwright:{version.ref}:{version.digest}:{version.created.isoformat()}")
    depends = sorted(str(each["bom-ref"]) for each in [*packages, *data, *python])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "mlwright", "version": tool}]},
            "component": _model(dossier, model),
        },
        "components": [*python, *packages, *data],
        "dependencies": [{"ref": model, "dependsOn": depends}, *({"ref": each} for each in depends)],
    }


def _model(dossier: Dossier, ref: str) -> dict[str, object]:
    version = dossier.version
    properties = {
        "mlwright:digest": version.digest,
        "mlwright:flavor": version.flavor,
        "mlwright:run": version.run,
        "mlwright:source": version.source,
        "mlwright:registered": version.created.isoformat(),
        "mlwright:registered_by": version.actor,
        "mlwright:trained_from": version.trained_from and version.trained_from.isoformat(),
        "mlwright:trained_to": version.trained_to and version.trained_to.isoformat(),
    }
    environment = dossier.run.environment if dossier.run else None
    if environment:
        properties |= {
            "mlwright:code": environment.code_digest,
            "mlwright:git_commit": environment.git_commit,
        }
    for each in dossier.evidence:
        name = f"{each.kind}:{each.details.get('gate')}" if each.kind == EvidenceKind.GATE else each.kind
        properties.setdefault(f"mlwright:evidence:{name}", f"{each.outcome}: {each.summary}")
    component: dict[str, object] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": str(version.model),
        "version": str(version.version),
        "properties": [
            {"name": name, "value": str(value)} for name, value in properties.items() if value is not None
        ],
        "modelCard": _card(dossier),
    }
    if version.description:
        component["description"] = version.description
    if dossier.files:
        component["components"] = [
            {
                "type": "file",
                "bom-ref": f"file:{version.ref}/{each.path}",
                "name": each.path,
                "hashes": [{"alg": "SHA-256", "content": each.sha256}],
                "properties": [{"name": "mlwright:bytes", "value": str(each.size)}],
            }
            for each in dossier.files
        ]
    return component


def _card(dossier: Dossier) -> dict[str, object]:
    version = dossier.version
    parameters: dict[str, object] = {
        "inputs": [{"format": f"{each.name}: {each.type}"} for each in version.inputs],
        "outputs": [{"format": f"{each.name}: {each.type}"} for each in version.outputs],
        "datasets": [{"ref": _dataset_ref(each)} for each in dossier.inputs],
    }
    if version.evaluation is not None:
        parameters["approach"] = {"type": "supervised"}
    if dossier.is_classifier:
        parameters["task"] = "classification"
    if version.flavor:
        parameters["architectureFamily"] = version.flavor
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(dossier))},
        "considerations": {
            "useCases": [todo(JUDGEMENTS[USE])],
            "technicalLimitations": [todo(JUDGEMENTS[CAVEATS])],
            "ethicalConsiderations": [{"name": todo(JUDGEMENTS[ETHICS])}],
        },
    }


def _metrics(dossier: Dossier) -> Iterator[dict[str, object]]:
    known = set()
    for each in dossier.measured:
        known.add(each.name)
        yield {
            "type": each.name,
            "value": f"{each.estimate.value:.6g}",
            "slice": f"all {each.rows} held-out rows of {each.days} days",
            "confidenceInterval": {
                "lowerBound": f"{each.estimate.lower:.6g}",
                "upperBound": f"{each.estimate.upper:.6g}",
            },
        }
    own = dossier.version.evaluation
    for name, value in (own.metrics if own else {}).items():
        if name not in known:
            yield {
                "type": name,
                "value": f"{value:.6g}",
                "slice": f"all {own.rows if own else 0} held-out rows",
            }
    sliced = dossier.newest(EvidenceKind.GATE, "slices")
    found = sliced.details.get("slices") if sliced else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and "difference" in each:
            yield {
                "type": f"difference to {sliced.details.get('champion') if sliced else ''}",
                "value": f"{each['difference']:.6g}",
                "slice": str(each.get("slice")),
                "confidenceInterval": {
                    "lowerBound": str(each.get("lower")),
                    "upperBound": str(each.get("upper")),
                },
            }


def _library(package: Package) -> dict[str, object]:
    purl = f"pkg:pypi/{quote(package.name)}" + (f"@{quote(package.version)}" if package.version else "")
    found: dict[str, object] = {"type": "library", "bom-ref": purl, "name": package.name, "purl": purl}
    if package.version:
        found["version"] = package.version
    if package.wanted:
        found["properties"] = [{"name": "mlwright:requirement", "value": package.wanted}]
    return found


def _python(dossier: Dossier) -> list[dict[str, object]]:
    version = dossier.survey.python if dossier.survey else ""
    if not version:
        return []
    return [{"type": "platform", "bom-ref": f"python@{version}", "name": "python", "version": version}]


def _dataset(used: DatasetInput) -> dict[str, object]:
    known = used.dataset
    digest = _BLAKE3.fullmatch(known.digest)
    ref = _dataset_ref(used)
    said = {
        "mlwright:digest": known.digest,
        "mlwright:source": known.source,
        "mlwright:source_type": known.source_type,
    }
    said |= {f"mlwright:{key}": value for key, value in used.tags.items()}
    component: dict[str, object] = {
        "type": "data",
        "bom-ref": ref,
        "name": known.name,
        "version": known.digest,
        "data": [{"type": "dataset", "name": known.name}],
        "properties": [{"name": name, "value": str(value)} for name, value in said.items() if value],
    }
    if digest:
        component["hashes"] = [{"alg": "BLAKE3", "content": digest[1]}]
    return component


def _dataset_ref(used: DatasetInput) -> str:
    return f"dataset:{used.dataset.name}@{used.dataset.digest}"
