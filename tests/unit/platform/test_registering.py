"""Registering what is on disk, and taking in what a client registered by its address."""

import textwrap
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mlwright.adapters.runtimes.folder import read_example, read_package
from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.errors import ModelLoadFailed, ModelUntrusted, NotFound, UsageError
from mlwright.model.endpoints import Variant
from mlwright.model.evidence import Check, EvidenceKind, Outcome
from mlwright.model.ids import ModelName
from mlwright.model.registry import Field
from mlwright.platform.facade import Platform
from mlwright.platform.loading import VersionLoader
from mlwright.platform.proving import ProofEngines
from mlwright.platform.releases import named_version
from mlwright.ports.runtimes import scores_of
from mlwright.stages.registry.evidence import keep_checks, list_evidence
from mlwright.stages.registry.models import ensure_model
from mlwright.stages.registry.versions import NewVersion, add_version, attach_folder
from mlwright.testing.fakes.environments import RunningEnvironments
from mlwright.testing.fakes.runtimes import LinearModel, LinearRuntime
from mlwright.testing.fakes.signers import SealSigner

RULES = """
EXAMPLE = [{"months": 3.0, "plan": "basic"}, {"months": 40.0}]


def predict(months: float, plan: str | None) -> float:
    return 1.0 / (1.0 + months) + (0.1 if plan == "basic" else 0.0)


def bare(months: float) -> float:
    return months
"""


@pytest.fixture
def opened(project):
    """The platform with the runtimes and engines of one's choice."""

    def make(**changed) -> Platform:
        parts = project.platform.parts
        shelf = replace(parts.shelf, runtimes=(LinearRuntime(), FunctionRuntime()))
        engines = ProofEngines(
            scanner=PicklescanScanner(),
            environments=RunningEnvironments(packages={}),
            signer=SealSigner(),
            level="files",
        )
        return Platform(replace(parts, **{"shelf": shelf, "proofs": engines, **changed}))

    return make


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "linear"
    made.mkdir()
    signature = SimpleNamespace(
        inputs=(Field(name="x", type="double"),), outputs=(Field(name="score", type="double"),)
    )
    LinearRuntime().save(
        LinearModel(weights={"x": 1.0}), made, signature=signature, example={"x": [1.0]}, categories={}
    )
    return made


def test_a_folder_becomes_a_version(opened, folder) -> None:
    releases = opened().releases
    version = releases.register(str(folder), "linear")
    assert version.ref == "linear/1"
    assert version.flavor == "mlwright_linear"
    assert version.inputs == (Field(name="x", type="double"),)
    assert scores_of(releases.load(version), {"x": [0.0]}) == [0.5]
    assert releases.register(str(folder), "linear").ref == "linear/1"


def test_the_same_files_again_give_the_version_that_exists(opened, folder) -> None:
    platform = opened()
    first = platform.releases.register(str(folder), "linear")
    assert platform.releases.register(str(folder), "linear") == first
    (folder / "notes.txt").write_text("changed", encoding="utf-8")
    assert platform.releases.register(str(folder), "linear").ref == "linear/2"
    (folder / "notes.txt").unlink()
    assert platform.releases.register(str(folder), "linear") == first
    registered = [each.subject for each in platform.records.audit() if each.action == "register"]
    assert sorted(registered) == ["model:linear/1", "model:linear/2"]


def test_what_was_registered_without_a_look_is_looked_at_later(opened, folder) -> None:
    unseen = opened(proofs=None).releases
    version = unseen.register(str(folder), "linear")
    platform = opened()
    assert platform.releases.register(str(folder), "linear") == version
    with platform.parts.read() as tx:
        assert list_evidence(tx, version.model, version.version)


@pytest.mark.parametrize("left", [True, False])
def test_the_state_does_not_become_part_of_a_model(opened, folder, left) -> None:
    platform = opened()
    if left:
        (folder / ".mlwright").mkdir()
    else:
        inside = replace(platform.parts.settings, state=folder / "state")
        platform = opened(settings=inside)
    with pytest.raises(UsageError, match="lies in the folder of this model") as refused:
        platform.releases.register(str(folder), "linear")
    assert refused.value.next_command.endswith("mlwright models register ./linear --name linear")
    assert platform.releases.models() == ()


def test_names_of_endpoints_and_models_are_suggested(timid) -> None:
    parts, releases = timid.platform.parts, timid.platform.releases
    assert named_version(parts, releases, "delay/1").ref == "delay/1"
    with pytest.raises(NotFound, match="no endpoint or model is named 'dleay'; did you mean 'delay'") as near:
        named_version(parts, releases, "dleay")
    assert near.value.next_command == "mlwright endpoints"
    with pytest.raises(NotFound, match="no endpoint or model is named 'nobody'") as far:
        named_version(parts, releases, "nobody")
    assert (far.value.what[-8:], far.value.next_command) == ("'nobody'", "mlwright models")
    with pytest.raises(NotFound, match="no version 9"):
        named_version(parts, releases, "delay/9")


def test_what_was_found_is_kept_and_audited(opened, folder) -> None:
    platform = opened()
    platform.releases.register(str(folder), "linear")
    kinds = {str(each.kind) for each in platform.dossiers.evidence("linear/1")}
    assert {"package", "scan", "signature"} <= kinds
    assert platform.records.audit()[0].action == "register"


def test_a_folder_that_is_not_complete(opened, folder, tmp_path) -> None:
    releases = opened().releases
    (folder / "requirements.txt").unlink()
    with pytest.raises(ModelLoadFailed, match="not a complete") as raised:
        releases.register(str(folder), "linear")
    assert raised.value.faults[0].where == "requirements.txt"
    with pytest.raises(NotFound, match="no such folder"):
        releases.register(str(tmp_path / "nowhere"), "linear")
    assert releases.models() == ()


def test_a_folder_that_would_do_harm(opened, folder) -> None:
    (folder / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    releases = opened().releases
    with pytest.raises(ModelUntrusted, match="could do harm"):
        releases.register(str(folder), "linear")
    assert releases.models() == ()


@pytest.mark.parametrize("name", ["a/b", "a@b", ""])
def test_names_that_no_reference_can_hold(opened, folder, name) -> None:
    with pytest.raises(UsageError):
        opened().releases.register(str(folder), name)


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules" / "rules.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(RULES), encoding="utf-8")
    return path


def test_a_function_becomes_a_version(opened, rules) -> None:
    releases = opened().releases
    version = releases.register(f"{rules}:predict", "churn-rules")
    assert version.flavor == "mlwright_function"
    assert version.inputs == (
        Field(name="months", type="double"),
        Field(name="plan", type="string", required=False),
    )
    model = releases.load(version)
    assert scores_of(model, {"months": [3.0, 0.0]}) == [0.25, 1.0]
    model.close()


def test_functions_that_are_not_there(opened, rules) -> None:
    with pytest.raises(NotFound, match="did you mean 'predict'"):
        opened().releases.register(f"{rules}:predcit", "churn-rules")


def test_a_function_needs_rows_to_be_tried_with(opened, rules) -> None:
    releases = opened().releases
    rules.write_text(RULES.replace("EXAMPLE =", "OTHER ="), encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        releases.register(f"{rules}:predict", "churn-rules")
    assert 'EXAMPLE = [{"months": 1.0, "plan": "text"}]' in str(raised.value.why)


def test_rows_that_are_not_complete(opened, rules) -> None:
    rules.write_text(RULES.replace('{"months": 40.0}', '{"plan": "basic"}'), encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        opened().releases.register(f"{rules}:predict", "churn-rules")
    assert [str(each) for each in raised.value.faults] == ["row 1: 'months' is missing"]


def addressed(platform: Platform):
    """A version as a client of the MLflow protocol registers it."""
    with platform.parts.write() as tx:
        ensure_model(tx, ModelName("far"), platform.parts.clock.now())
        return add_version(
            tx, NewVersion(model=ModelName("far"), source="mlflow-artifacts:/0/x"), platform.parts.clock.now()
        )


def taking(platform_of, check, digest=None):
    """As the tracking server's proof takes the files in."""

    def take_in(ref):
        platform = platform_of()
        version = platform.releases.version(ref)
        if digest is not None:
            with platform.parts.write() as tx:
                found = {"signature": linear_signature(), "flavor": "mlwright_linear"}
                version = attach_folder(tx, version.model, version.version, digest, **found)
        with platform.parts.write() as tx:
            at = platform.parts.clock.now()
            kept = keep_checks(
                tx, version.model, version.version, [check], digest=version.digest, at=at, actor="proof"
            )
        return SimpleNamespace(version=version, evidence=kept)

    return take_in


def linear_signature():
    from mlwright.model.registry import Signature

    return Signature(inputs=(Field(name="x", type="double"),), outputs=())


def test_a_version_registered_by_its_address_is_taken_in(opened, folder) -> None:
    plain = opened()
    digest = plain.parts.artifacts.put_folder(folder)
    passed = Check(kind=EvidenceKind.PACKAGE, outcome=Outcome.PASSED, summary="complete")
    platform = opened(take_in=taking(lambda: plain, passed, digest))
    version = addressed(platform)
    assert scores_of(platform.releases.load(version), {"x": [0.0]}) == [0.5]
    assert platform.releases.version("far/1").digest == digest
    assert platform.releases.version("far/1").inputs == (Field(name="x", type="double"),)


def test_files_that_cannot_be_fetched(opened) -> None:
    plain = opened()
    missing = Check(kind=EvidenceKind.DIGEST, outcome=Outcome.FAILED, summary="there are no files")
    platform = opened(take_in=taking(lambda: plain, missing))
    with pytest.raises(ModelLoadFailed) as raised:
        platform.releases.load(addressed(platform))
    assert str(raised.value.faults[0]) == "digest: there are no files"
    assert "prove far/1" in str(raised.value.next_command)


def test_harmful_files_are_not_loaded(opened, folder) -> None:
    plain = opened()
    bad = Check(kind=EvidenceKind.SCAN, outcome=Outcome.FAILED, summary="model.pkl calls os.system")
    digest = plain.parts.artifacts.put_folder(folder)
    platform = opened(take_in=taking(lambda: plain, bad, digest))
    with pytest.raises(ModelUntrusted, match="could do harm"):
        platform.releases.load(addressed(platform))
    with pytest.raises(ModelUntrusted, match="could do harm"):
        platform.releases.load(platform.releases.version("far/1"))


def test_nobody_takes_in(opened) -> None:
    platform = opened()
    with pytest.raises(ModelLoadFailed, match="no verified copy"):
        platform.releases.load(addressed(platform))


def test_the_rows_of_a_function_warm_it_up(opened, rules) -> None:
    platform = opened()
    version = platform.releases.register(f"{rules}:predict", "churn-rules")
    parts = platform.parts
    shelf = replace(parts.shelf, examples=lambda folder: read_example(read_package(folder)))
    loader = VersionLoader(engine=parts.engine, shelf=shelf)
    variant = Variant(name="champion", model=version.model, version=version.version, share=1.0)
    assert loader.example(variant) == {"months": [3.0, 40.0], "plan": ["basic", None]}
    assert replace(loader, shelf=parts.shelf).example(variant) is None
    (shelf.fetch(version.digest) / "input_example.json").write_text("{")
    assert loader.example(variant) is None
