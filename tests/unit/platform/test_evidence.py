"""What a pipeline registers is looked at at once, and only what a trusted key signed is served."""

from dataclasses import replace

import pytest

from mlwright.errors import ModelUntrusted
from mlwright.model.ids import ModelName
from mlwright.platform.proving import ProofEngines
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.training import TrainingJourney
from mlwright.stages.registry import evidence as store
from mlwright.testing.fakes.environments import RunningEnvironments
from mlwright.testing.fakes.scanner import WordScanner
from mlwright.testing.fakes.signers import SealSigner

DELAY = ModelName("delay")


def with_engines(project, **given):
    """The project's journeys, with these engines of proofs."""
    engines = ProofEngines(
        **{
            "scanner": WordScanner("never"),
            "environments": RunningEnvironments(),
            "signer": SealSigner(),
            **given,
        }
    )
    platform = project.platform
    parts = replace(platform.parts, proofs=engines)
    return parts, TrainingJourney(parts, platform.data), ReleaseJourney(parts)


def train(training):
    return training.run("train_delay", {"start": "2013-01-01", "end": "2013-03-01"})


@pytest.mark.parametrize(("level", "queued"), [("isolated", True), ("files", False), ("off", False)])
def test_a_registered_version_has_evidence_of_its_files(project, level, queued):
    parts, training, _ = with_engines(project, level=level)
    train(training)
    with parts.write() as tx:
        kinds = {each.kind for each in store.list_evidence(tx, DELAY, 1)}
        taken = store.take_proof(tx, parts.clock.now())
    assert kinds == (set() if level == "off" else {"package", "scan", "signature"})
    assert (taken is not None) is queued


def test_only_what_the_key_signed_is_loaded(project, tmp_path):
    own, other = tmp_path / "own.key", tmp_path / "other.key"
    own.write_text("own")
    other.write_text("other")
    _, training, releases = with_engines(project, level="files", signing_key=own, verify_key=own)
    train(training)
    version = releases.version("delay/1")
    assert releases.load(version).signature.input_names
    _, _, strangers = with_engines(project, verify_key=other)
    with pytest.raises(ModelUntrusted):
        strangers.load(version)


def test_what_nobody_signed_is_not_loaded(project, tmp_path):
    key = tmp_path / "own.key"
    key.write_text("own")
    _, training, releases = with_engines(project, level="files", verify_key=key)
    train(training)
    with pytest.raises(ModelUntrusted, match="models sign delay/1"):
        releases.load(releases.version("delay/1"))
