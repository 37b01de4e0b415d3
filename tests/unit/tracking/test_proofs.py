"""A registered model is proved: its files, its environment, whether it loads, whether it answers as before."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.errors import ModelLoadFailed, ModelUntrusted, NotFound, UsageError
from mlwright.model.evidence import Outcome
from mlwright.model.functions import shape_of
from mlwright.model.ids import ModelName
from mlwright.model.registry import IS_PROMPT, Field, Signature
from mlwright.platform.proving import ProofEngines
from mlwright.platform.signatures import require_signed
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.ports.environments import Ran
from mlwright.stages.ledger.tables import metadata as ledger_metadata
from mlwright.stages.pipelines.usercode import load_module
from mlwright.stages.registry import loading
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.tables import metadata as registry_metadata
from mlwright.stages.registry.versions import NewVersion, add_version
from mlwright.stages.tracking import artifact_tables  # noqa: F401 - its tables are made below
from mlwright.stages.tracking.tables import metadata
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock
from mlwright.testing.fakes.environments import RunningEnvironments
from mlwright.testing.fakes.signers import SealSigner

SIGNATURE = Signature(
    inputs=(Field(name="carrier", type="string"), Field(name="wind", type="double")),
    outputs=(Field(name="late", type="double"),),
)
EXAMPLE = {"carrier": ["AA", "UA", None], "wind": [1.0, 2.5, -3.0]}
CHURN = ModelName("churn")


class Here(RunningEnvironments):
    """Loads the model in this process: a fresh one would read its libraries for seconds in each test."""

    def run(self, environment, script, arguments, *, folder, seconds, memory):
        return Ran(code=loading.main(arguments[0]))


@pytest.fixture
def folder(tmp_path):
    """A model as our own runtime saves it."""
    folder = tmp_path / "saved"
    folder.mkdir()
    rows = np.array([[0, 1.0], [1, 2.5], [0, -3.0], [1, 9.0]])
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1).fit(rows, [0, 1, 0, 1])
    SklearnRuntime().save(
        model, folder, signature=SIGNATURE, example=EXAMPLE, categories={"carrier": ["AA", "UA"]}
    )
    return folder


@pytest.fixture
def opened(tmp_path):
    """Opens a store with engines of one's choice."""
    platforms = []

    def make(**given):
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        for each in (metadata, registry_metadata, ledger_metadata):
            each.create_all(engine)
        book = Book(
            engine=engine, artifacts=MemoryArtifactStore(), clock=ManualClock(), state=tmp_path / "state"
        )
        engines = ProofEngines(
            **{
                "scanner": PicklescanScanner(),
                "environments": Here(packages={}),
                "signer": SealSigner(),
                **given,
            }
        )
        platforms.append(TrackingPlatform(book, engines))
        return platforms[-1]

    yield make
    for each in platforms:
        each.close()


def register(tracking, folder, flavor="sklearn"):
    """As our own pipelines do."""
    with tracking.book.write() as tx:
        registry.create_version(
            tx,
            CHURN,
            tracking.book.artifacts.put_folder(folder),
            run=None,
            at=tracking.book.clock.now(),
            signature=SIGNATURE,
            flavor=flavor,
        )


def upload(tracking, folder, path="1/r/artifacts/model"):
    """As clients of the MLflow protocol do."""
    for file in folder.rglob("*"):
        if file.is_file():
            tracking.artifacts.put_bytes(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    tracking.models.create("churn")
    new = NewVersion(model=CHURN, source=f"mlflow-artifacts:/{path}")
    with tracking.book.write() as tx:
        add_version(tx, new, tracking.book.clock.now())


def outcomes(proved):
    return {each.kind: str(each.outcome) for each in proved.evidence}


def change(folder, edit):
    described = yaml.safe_load((folder / "MLmodel").read_text())
    edit(described)
    (folder / "MLmodel").write_text(yaml.safe_dump(described))


def test_a_function_is_proved_by_its_own_code(opened, tmp_path):
    source = tmp_path / "rules.py"
    source.write_text(
        "def predict(months: float, plan: str | None) -> float:\n"
        "    return months + (1.0 if plan == 'pro' else 0.0)\n"
    )
    function = load_module(source, tmp_path).predict
    folder = tmp_path / "saved"
    folder.mkdir()
    FunctionRuntime().save(
        function,
        folder,
        signature=shape_of(function).signature,
        example={"months": [3.0, 4.0], "plan": ["pro", None]},
        categories={},
    )
    tracking = opened(environments=RunningEnvironments(packages={}))
    register(tracking, folder, "mlwright_function")
    proved = tracking.proofs.run("churn/1")
    assert set(outcomes(proved).values()) == {"passed"}, [each.summary for each in proved.evidence]
    assert {"load", "score"} <= outcomes(proved).keys()
    (folder / "output_example.json").write_text('{"predictions": [4.0, 5.0]}')
    other = opened(environments=RunningEnvironments(packages={}))
    register(other, folder, "mlwright_function")
    assert outcomes(other.proofs.run("churn/1"))["score"] == "failed"


def test_a_good_model_is_proved(opened, folder):
    tracking = opened(environments=RunningEnvironments(packages={"scikit-learn": "1"}))
    register(tracking, folder)
    steps = []
    proved = tracking.proofs.run("churn/1", say=steps.append)
    assert proved.outcome == Outcome.PASSED, [each.summary for each in proved.evidence]
    kinds = ["digest", "package", "scan", "signature", "environment", "load", "score"]
    assert [each.kind for each in proved.evidence] == kinds
    assert proved.evidence[-1].details["reference"] == "when it was saved"
    assert len(proved.evidence[-1].details["predictions"]) == 3
    assert tracking.proofs.state("churn").state == "passed"
    assert tracking.proofs.evidence("churn/1") == proved.evidence[::-1]
    assert len(steps) == 4


def test_answers_that_changed_are_seen(opened, folder):
    (folder / "output_example.json").write_text(json.dumps({"predictions": [0.5, 0.5, 0.5]}))
    tracking = opened(environments=Here(packages={}))
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, outcomes(proved)["score"]) == ("failed", "failed")
    assert "recorded was 0.5" in proved.evidence[-1].summary


def test_without_recorded_answers_the_first_proof_records_them(opened, folder):
    (folder / "output_example.json").unlink()
    tracking = opened(environments=Here(packages={}))
    register(tracking, folder)
    assert tracking.proofs.run("churn/1").evidence[-1].details["reference"] == "this"
    again = tracking.proofs.run("churn/1").evidence[-1]
    assert (again.outcome, "the proof of" in again.details["reference"]) == ("passed", True)


def test_a_package_that_nobody_has_is_named(opened, folder):
    (folder / "requirements.txt").write_text("our-own-thing\n")
    tracking = opened(environments=Here(unknown=("our-own-thing",)))
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert proved.outcome == "failed"
    assert "our-own-thing" in proved.evidence[-1].summary
    assert proved.evidence[-1].details["faults"][0]["package"] == "our-own-thing"
    assert "load" not in outcomes(proved)


def test_without_network_nothing_is_known(opened, folder):
    tracking = opened(environments=Here(offline=True))
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, outcomes(proved)["environment"]) == ("unknown", "unknown")
    assert tracking.proofs.state("churn/1").state == "unknown"


def test_another_python_shows_less(opened, folder):
    tracking = opened(environments=Here(python="3.7.1", packages={}))
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert proved.outcome == "unknown"
    assert {outcomes(proved)[kind] for kind in ("environment", "load", "score")} == {"unknown"}
    assert "which is not installed here" in proved.evidence[4].summary


def test_a_model_that_does_not_load_says_why(opened, folder):
    (folder / "model.skops").write_bytes(b"PK\x03\x04 nonsense")
    tracking = opened(environments=Here(packages={}))
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, proved.evidence[-1].kind) == ("failed", "load")
    assert "BadZipFile" in proved.evidence[-1].summary


def test_a_dangerous_pickle_is_never_loaded(opened, folder, tmp_path):
    trace = tmp_path / "was-run"
    (folder / "model.pkl").write_bytes(f"cos\nsystem\n(S'touch {trace}'\ntR.".encode())
    change(
        folder,
        lambda described: described["flavors"]["sklearn"].update(
            pickled_model="model.pkl", serialization_format="pickle"
        ),
    )
    environments = Here(packages={})
    tracking = opened(environments=environments)
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, outcomes(proved)["scan"]) == ("failed", "failed")
    assert (environments.built, trace.exists()) == (0, False)


def test_files_only_runs_nothing(opened, folder):
    environments = Here()
    tracking = opened(environments=environments)
    register(tracking, folder)
    proved = tracking.proofs.run("churn/1", level="files")
    assert list(outcomes(proved)) == ["digest", "package", "scan", "signature"]
    assert (proved.outcome, environments.built) == ("passed", 0)
    assert tracking.proofs.state("churn/1") is None
    with pytest.raises(UsageError):
        tracking.proofs.run("churn/1", level="everything")


def test_an_uploaded_version_is_fetched_stored_and_proved(opened, folder):
    tracking = opened(environments=Here(packages={}))
    upload(tracking, folder)
    with pytest.raises(ModelLoadFailed, match="models prove churn/1"):
        tracking.proofs.verify("churn/1")
    proved = tracking.proofs.run("churn/1")
    assert proved.outcome == "passed", [each.summary for each in proved.evidence]
    with tracking.book.read() as tx:
        version = registry.get_version(tx, CHURN, 1)
    assert version.stored() == (tracking.book.artifacts.put_folder(folder), "sklearn")
    assert [each.name for each in version.inputs] == ["carrier", "wind"]
    assert tracking.proofs.verify("churn/1").outcome == "passed"


def test_an_upload_that_is_not_complete_gets_no_digest(opened, folder):
    (folder / "model.skops").unlink()
    tracking = opened()
    upload(tracking, folder)
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, outcomes(proved)["package"], proved.version.digest) == ("failed", "failed", None)
    assert "model.skops" in proved.evidence[1].summary


def test_files_that_change_after_the_proof_are_seen(opened, folder):
    tracking = opened(environments=Here(packages={}))
    upload(tracking, folder)
    tracking.proofs.run("churn/1")
    tracking.artifacts.put_bytes("1/r/artifacts/model/model.skops", b"others")
    proved = tracking.proofs.verify("churn/1")
    assert (proved.outcome, len(proved.evidence)) == ("failed", 2)
    assert "clients that load it get others" in proved.evidence[1].summary


def test_an_address_elsewhere_is_not_fetched(opened):
    tracking = opened()
    tracking.models.create("churn")
    with tracking.book.write() as tx:
        add_version(tx, NewVersion(model=CHURN, source="s3://bucket/model"), tracking.book.clock.now())
    proved = tracking.proofs.run("churn/1")
    assert (proved.outcome, len(proved.evidence)) == ("unknown", 1)
    assert "s3://bucket/model" in proved.evidence[0].summary


def test_a_prompt_is_not_proved(opened):
    tracking = opened()
    tracking.models.create("churn")
    with tracking.book.write() as tx:
        add_version(
            tx,
            NewVersion(model=CHURN, source="dummy-source", tags={IS_PROMPT: "true"}),
            tracking.book.clock.now(),
        )
    with pytest.raises(UsageError, match="prompt"):
        tracking.proofs.ask("churn/1")


def test_an_unsigned_version_fails_where_a_key_is_trusted(opened, folder, tmp_path):
    key = tmp_path / "own.key"
    key.write_text("own")
    tracking = opened(verify_key=key)
    register(tracking, folder)
    assert outcomes(tracking.proofs.run("churn/1"))["signing"] == "failed"
    signed = tracking.proofs.sign("churn/1", key)
    assert signed.outcome == "passed"
    assert outcomes(tracking.proofs.verify("churn/1"))["signing"] == "passed"
    with tracking.book.read() as tx:
        version = registry.get_version(tx, CHURN, 1)
        require_signed(tx, version, folder, signer=SealSigner(), key=key)
        (folder / "extra").write_text("x")
        with pytest.raises(ModelUntrusted):
            require_signed(tx, version, folder, signer=SealSigner(), key=key)


def test_with_a_signing_key_every_proof_signs_once(opened, folder, tmp_path):
    key = tmp_path / "own.key"
    key.write_text("own")
    tracking = opened(signing_key=key, verify_key=key, environments=Here(packages={}))
    register(tracking, folder)
    first = [each for each in tracking.proofs.run("churn/1").evidence if each.kind == "signing"]
    again = [each for each in tracking.proofs.run("churn/1").evidence if each.kind == "signing"]
    assert (len(first), len(again)) == (2, 1)
    assert {each.outcome for each in first + again} == {Outcome.PASSED}


def test_without_a_key_nothing_is_signed(opened, folder):
    tracking = opened()
    register(tracking, folder)
    with pytest.raises(UsageError, match="no key"):
        tracking.proofs.sign("churn/1")


def test_a_queued_proof_is_taken_and_given_up_once(opened, folder):
    tracking = opened(environments=Here(packages={}))
    register(tracking, folder)
    assert tracking.proofs.ask("churn/1").state == "queued"
    assert tracking.proofs.take().ref == "churn/1"
    assert tracking.proofs.take() is None
    tracking.proofs.give_up("churn/1", "the process ended")
    assert tracking.proofs.state("churn/1").state == "unknown"
    tracking.proofs.run("churn/1")
    tracking.proofs.give_up("churn/1", "too late")
    assert tracking.proofs.state("churn/1").state == "passed"
    with pytest.raises(NotFound):
        tracking.proofs.ask("absent/1")


def test_trouble_of_ours_is_no_verdict(opened, folder):
    def build(*_):
        raise RuntimeError("a fault of ours")

    tracking = opened(environments=SimpleNamespace(build=build))
    register(tracking, folder)
    with pytest.raises(RuntimeError):
        tracking.proofs.run("churn/1")
    assert tracking.proofs.state("churn/1").state == "unknown"
    assert "a fault of ours" in tracking.proofs.evidence("churn/1")[0].summary
