"""What clients of the MLflow protocol do shows in the lineage, and their aliases respect the policies."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from mlwright.errors import GateFailed
from mlwright.model.evidence import EvidenceKind, Outcome
from mlwright.model.ids import ModelName
from mlwright.model.ledger import Node
from mlwright.model.promotion import GateResult, Judgement, PromotionPolicy
from mlwright.model.tracking import Dataset, DatasetInput, ModelOutput
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.platform.verdicts import keep_judgement
from mlwright.stages.ledger import store as ledger
from mlwright.stages.ledger.tables import metadata as ledger_metadata
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.tables import metadata as registry_metadata
from mlwright.stages.serving.tables import metadata as serving_metadata
from mlwright.stages.tracking import artifact_tables  # noqa: F401 - its tables are made below
from mlwright.stages.tracking.tables import metadata
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock

POLICY = PromotionPolicy(model="churn")
CHURN = ModelName("churn")
ROWS = Dataset(name="customers", digest="d41d8cd9", source_type="local", source="x.csv")


@pytest.fixture
def tracking(tmp_path):
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    for each in (metadata, registry_metadata, ledger_metadata, serving_metadata):
        each.create_all(engine)
    book = Book(
        engine=engine,
        artifacts=MemoryArtifactStore(),
        clock=ManualClock(),
        state=tmp_path,
        policies=(POLICY,),
    )
    opened = TrackingPlatform(book)
    yield opened
    opened.close()


@pytest.fixture
def registered(tracking):
    """A run that read rows, logged a model, and a version that was registered from it."""
    experiment = tracking.experiments.create("churn")
    run = tracking.runs.create(experiment).id
    tracking.runs.log_inputs(run, [DatasetInput(dataset=ROWS)], ["m-older"])
    model = tracking.logged_models.create(experiment, name="model", source_run=run)
    tracking.runs.log_outputs(run, [ModelOutput(model=model.id)])
    tracking.models.create("churn")
    for _ in range(2):
        tracking.versions.register("churn", f"models:/{model.id}", logged_model=model.id)
    return tracking, run, model.id


def trace(tracking, text):
    with tracking.book.read() as tx:
        found = ledger.trace(tx, Node.parse(text))
    return {str(each.cause) for each in found.causes}, {str(each.effect) for each in found.effects}


def test_a_version_leads_back_to_its_data_and_the_data_to_its_versions(registered):
    tracking, run, model = registered
    causes, _ = trace(tracking, "model:churn/1")
    assert causes == {
        f"run:{run}",
        f"logged-model:{model}",
        "dataset:customers@d41d8cd9",
        "logged-model:m-older",
    }
    _, effects = trace(tracking, "dataset:customers@d41d8cd9")
    assert effects == {f"run:{run}", f"logged-model:{model}", "model:churn/1", "model:churn/2"}


def test_the_beginning_of_a_node_finds_it(registered):
    tracking, _, _ = registered
    with tracking.book.read() as tx:
        assert [str(each) for each in ledger.find_nodes(tx, "dataset:cust")] == ["dataset:customers@d41d8cd9"]
        assert ledger.find_nodes(tx, "dataset:cu_t") == []


def judged(tracking, outcome=Outcome.PASSED, champion=None, version=1):
    with tracking.book.write() as tx:
        judgement = Judgement(
            model=CHURN,
            version=version,
            alias="champion",
            policy=POLICY,
            champion=champion,
            results=(GateResult(gate="proof", outcome=outcome, summary="said so"),),
        )
        found = registry.get_version(tx, CHURN, version)
        keep_judgement(tx, judgement, found, at=tracking.book.clock.now(), actor="ada")


def test_a_guarded_alias_moves_only_after_its_gates_passed(registered):
    tracking, _, _ = registered
    with pytest.raises(GateFailed, match="mlwright models promote churn/1 --alias champion"):
        tracking.models.set_alias("churn", "champion", 1)
    judged(tracking, Outcome.UNKNOWN)
    with pytest.raises(GateFailed, match="these gates did not pass: proof"):
        tracking.models.set_alias("churn", "champion", 1)
    assert tracking.models.look("churn")[0].aliases == {}
    judged(tracking)
    tracking.models.set_alias("churn", "champion", 1)
    tracking.models.set_alias("churn", "champion", 1)
    with pytest.raises(GateFailed, match="nobody has asked its gates"):
        tracking.models.set_alias("churn", "champion", 2)
    # Asked when the alias pointed nowhere, and so against nobody.
    judged(tracking, version=2)
    with pytest.raises(GateFailed, match="compared it with nothing, and the alias points at churn/1"):
        tracking.models.set_alias("churn", "champion", 2)
    judged(tracking, champion="churn/1", version=2)
    tracking.models.set_alias("churn", "champion", 2)
    assert tracking.models.look("churn")[0].aliases == {"champion": 2}


def test_a_guarded_alias_is_not_removed_and_others_are_free(registered):
    tracking, _, _ = registered
    tracking.models.set_alias("churn", "staging", 2)
    tracking.models.delete_alias("churn", "staging")
    judged(tracking)
    tracking.models.set_alias("churn", "champion", 1)
    with pytest.raises(GateFailed, match="it moves, and is not removed"):
        tracking.models.delete_alias("churn", "champion")


def test_an_approval_that_was_taken_back_stops_other_doors_too(registered):
    tracking, _, _ = registered
    judged(tracking)
    with tracking.book.write() as tx:
        proofs.add_evidence(
            tx,
            CHURN,
            1,
            kind=EvidenceKind.APPROVAL,
            outcome=Outcome.FAILED,
            summary="ada no longer approves as ml-lead",
            at=tracking.book.clock.now(),
            actor="ada",
        )
    with pytest.raises(GateFailed, match="ada no longer approves"):
        tracking.models.set_alias("churn", "champion", 1)


def test_a_changed_policy_asks_anew(registered):
    tracking, _, _ = registered
    judged(tracking)
    tracking.book.policies = (replace(POLICY, tolerance=0.5),)
    with pytest.raises(GateFailed, match="the policy was changed"):
        tracking.models.set_alias("churn", "champion", 1)
