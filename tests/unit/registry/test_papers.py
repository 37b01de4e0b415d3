"""The card and the bill of materials of a version: facts, TODOs, and nothing that a client could smuggle in."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlwright.model.cards import JUDGEMENTS
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.monitoring import Estimate
from mlwright.model.registry import Evaluation, Field, ModelVersion, Signature
from mlwright.model.tracking import Dataset, DatasetInput, Run, RunStatus
from mlwright.stages.registry.bom import bill_of_materials
from mlwright.stages.registry.card import card_text
from mlwright.stages.registry.dossier import (
    Dossier,
    Measured,
    ModelFile,
    Package,
    model_files,
    parse_requirement,
    thin,
)
from mlwright.stages.registry.survey import Survey

AT = datetime(2013, 4, 1, tzinfo=UTC)
SCHEMA = "bom-1.6.schema.json"
BARE = ModelVersion(
    model=ModelName("churn"), version=1, digest=None, run=None, created=AT, signature=None, flavor=None
)


def proof(kind, outcome=Outcome.PASSED, number=1, **details):
    return Evidence(
        model=BARE.model,
        version=1,
        kind=kind,
        outcome=outcome,
        summary=f"{details.get('gate', kind)}: it was looked at",
        at=AT,
        actor="ada",
        details=details,
        number=number,
    )


def dossier():
    """A version of which everything is known."""
    slices = [
        {"slice": "carrier=AA", "difference": -0.01, "lower": -0.02, "upper": 0.01, "rows": 900, "p": 0.4},
        {"slice": "carrier=HA", "not_judged": "12 rows, fewer than 200"},
    ]
    return Dossier(
        version=replace(
            BARE,
            version=3,
            digest=Digest("blake3:" + "a" * 64),
            run=RunId("r1"),
            flavor="sklearn",
            signature=Signature(
                inputs=(Field(name="wind", type="double", required=False),),
                outputs=(Field(name="late", type="double"),),
            ),
            trained_from=AT,
            trained_to=AT,
            evaluation=Evaluation(
                metrics={"auc": 0.71, "brier": 0.16, "gini": 0.4}, rows=900, start=AT, end=AT
            ),
            aliases=("champion",),
            actor="ada",
        ),
        run=Run(
            id=RunId("r1"),
            experiment="e",
            name="train",
            status=RunStatus.FINISHED,
            started=AT,
            ended=AT,
            actor="ada",
            params={"depth": "3"},
        ),
        inputs=(
            DatasetInput(
                dataset=Dataset(name="rows", digest="blake3:" + "b" * 64, source_type="mlwright", source="{}")
            ),
            DatasetInput(
                dataset=Dataset(name="old", digest="d41d8cd9", source_type="local", source="x.csv"),
                tags={"mlflow.data.context": "training"},
            ),
        ),
        survey=Survey(requirements=("scikit-learn==1.8.0", "numpy>=2", "-e ."), python="3.11.7"),
        files=(ModelFile(path="model.skops", size=10, format="skops", sha256="c" * 64),),
        evidence=(
            proof(EvidenceKind.GATE, gate="slices", champion="churn/2", slices=slices),
            proof(EvidenceKind.SCORE, Outcome.UNKNOWN),
        ),
        measured=(
            Measured(name="auc", estimate=Estimate(value=0.71, lower=0.69, upper=0.73), rows=900, days=14),
        ),
        target="late",
        contracts=("rows@1.0.0",),
    )


@pytest.fixture
def schema():
    """CycloneDX's own schema, beside the checkout or in its Python library."""
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource

    places = [Path(__file__).parents[4] / "shared" / "schemas" / "cyclonedx"]
    if find_spec("cyclonedx") is not None:
        places.append(Path(str(find_spec("cyclonedx").origin)).parent / "schema" / "_res")
    names = {SCHEMA, SCHEMA.replace(".schema", ".SNAPSHOT.schema")}
    file = next((place / name for place in places for name in names if (place / name).is_file()), None)
    if file is None:
        pytest.skip("the schema of CycloneDX is not here")
    others = [
        (each.name.replace(".SNAPSHOT", ""), Resource.from_contents(json.loads(each.read_text("utf-8"))))
        for each in file.parent.glob("*.json")
    ]
    registry = Registry().with_resources(
        [(f"http://cyclonedx.org/schema/{name}", each) for name, each in others]
    )
    return Draft7Validator(json.loads(file.read_text("utf-8")), registry=registry)


@pytest.mark.parametrize("known", [dossier(), Dossier(version=BARE)], ids=["all", "nothing"])
def test_the_bill_keeps_to_the_schema(known, schema):
    bom = json.loads(json.dumps(bill_of_materials(known, at=AT, tool="1.0")))
    assert [each.message for each in schema.iter_errors(bom)] == []


def test_the_bill_names_model_files_packages_and_data():
    bom = bill_of_materials(dossier(), at=AT, tool="1.0")
    model = bom["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "churn", "3")
    assert model["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    by_ref = {each["bom-ref"]: each for each in bom["components"]}
    assert set(by_ref) == {
        "python@3.11.7",
        "pkg:pypi/numpy",
        "pkg:pypi/scikit-learn@1.8.0",
        "dataset:rows@blake3:" + "b" * 64,
        "dataset:old@d41d8cd9",
    }
    assert by_ref["dataset:rows@blake3:" + "b" * 64]["hashes"] == [{"alg": "BLAKE3", "content": "b" * 64}]
    assert "hashes" not in by_ref["dataset:old@d41d8cd9"]
    assert bom["dependencies"][0] == {"ref": "model:churn/3", "dependsOn": sorted(by_ref)}
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert [each["type"] for each in metrics] == ["auc", "brier", "gini", "difference to churn/2"]
    assert metrics[0]["confidenceInterval"] == {"lowerBound": "0.69", "upperBound": "0.73"}


def test_the_same_version_has_the_same_serial_number():
    one, two = (bill_of_materials(dossier(), at=each, tool="1.0") for each in (AT, AT.replace(year=2014)))
    assert one["serialNumber"] == two["serialNumber"]
    other = replace(dossier(), version=replace(dossier().version, version=4))
    assert bill_of_materials(other, at=AT, tool="1.0")["serialNumber"] != one["serialNumber"]


def test_the_card_has_all_sections_facts_and_one_todo_each():
    text = card_text(dossier())
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    said = yaml.safe_load(head)
    assert said["library_name"] == "sklearn"
    assert said["datasets"] == ["rows", "old"]
    assert said["model-index"][0]["results"][0]["metrics"][0] == {"type": "auc", "value": 0.71}
    assert [line.removeprefix("## ") for line in body.splitlines() if line.startswith("## ")] == list(
        JUDGEMENTS
    )
    assert body.count("TODO(owner)") == len(JUDGEMENTS) + 1
    for fact in (
        "auc: 0.7100, 95% interval 0.6900 to 0.7300 on 900 held-out rows of 14 days",
        "gini: 0.4000 (no interval is known)",
        "Data set `old` as training, digest `d41d8cd9`",
        "Checked by contract `rows@1.0.0`",
        "| carrier=AA | 900 | -0.0100 | -0.0200 | +0.0100 |",
        "| carrier=HA | not judged: 12 rows, fewer than 200 |",
        "score: *not known*",
        "`wind: double` (may be missing)",
    ):
        assert fact in body


def test_of_what_nobody_knows_the_card_says_so():
    body = card_text(Dossier(version=BARE))
    assert "No held-out rows were registered with this version." in body
    assert "The run recorded no data set." in body
    assert "Nobody has yet loaded it" in body
    assert body.count("TODO(owner)") == len(JUDGEMENTS) + 1


@given(st.text(max_size=60))
def test_no_name_of_a_client_breaks_out_of_its_line(name):
    known = dossier()
    hostile = replace(
        known,
        version=replace(known.version, description=f"{name}\n## Fine\n<script>"),
        inputs=(DatasetInput(dataset=Dataset(name=name, digest="1", source_type="x", source="y")),),
        run=replace(known.run, params={name: name}),
    )
    text = card_text(hostile)
    body = text.removeprefix("---\n").partition("\n---\n")[2]
    assert [line for line in body.splitlines() if line.startswith("## ")] == [
        f"## {each}" for each in JUDGEMENTS
    ]
    assert "<script>" not in body
    json.dumps(bill_of_materials(hostile, at=AT, tool="1"))


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("numpy==2.1.0", Package(name="numpy", version="2.1.0", wanted="==2.1.0")),
        (
            "Scikit_Learn[x] >=1,<2 ; python_version > '3'",
            Package(name="scikit-learn", version=None, wanted=">=1,<2"),
        ),
        ("numpy", Package(name="numpy", version=None, wanted="")),
        ("-e .", None),
        ("x @ https://example.org/x.whl", None),
        ("./local", None),
    ],
)
def test_requirements_are_read(line, package):
    assert parse_requirement(line) == package


def test_what_was_installed_for_the_proof_comes_before_what_was_asked_for():
    built = proof(EvidenceKind.ENVIRONMENT, packages={"Scikit_learn": "1.8.0", "joblib": "1.5.0"})
    known = replace(dossier(), evidence=(built,))
    assert [(each.name, each.version) for each in known.packages()] == [
        ("joblib", "1.5.0"),
        ("scikit-learn", "1.8.0"),
    ]


def test_evidence_is_thinned_to_the_newest_of_each_kind_gate_and_approval():
    found = [
        proof(EvidenceKind.GATE, number=9, gate="slices", alias="champion"),
        proof(EvidenceKind.GATE, number=8, gate="proof", alias="champion"),
        proof(EvidenceKind.GATE, number=7, gate="slices", alias="champion"),
        proof(EvidenceKind.APPROVAL, number=6, role="lead"),
        proof(EvidenceKind.APPROVAL, number=5, role="risk"),
        proof(EvidenceKind.LOAD, number=4),
        proof(EvidenceKind.LOAD, number=3),
    ]
    assert [each.number for each in thin(found)] == [9, 8, 6, 5, 4]


def test_files_are_digested(tmp_path):
    (tmp_path / "MLmodel").write_bytes(b"abc")
    (found,) = model_files(tmp_path)
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (found.path, found.size) == ("MLmodel", 3)
