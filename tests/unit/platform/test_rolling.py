"""A challenger's way: shadow, canary, and the verdict."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from mlwright.errors import ArtifactMissing, Conflict, NotFound, UsageError
from mlwright.model.rollouts import RolloutState, Verdict
from mlwright.stages.rollouts import store

DAY = timedelta(days=1)


def route(project) -> list[tuple[str, int, float, bool]]:
    found = project.platform.releases.status("delay").route
    return [(each.name, each.version, each.share, each.shadow) for each in found.variants]


def generation(project) -> int:
    return project.platform.releases.status("delay").route.generation


def versions(project) -> dict[str, str]:
    """Which version each alias points at; an alias that is not there is left out."""
    found = project.platform.releases.models("delay")
    return {alias: version.ref for version in found for alias in version.aliases}


def test_a_rollout_begins_in_the_shadow(timid) -> None:
    rollout = timid.platform.rollouts.start("delay", "delay/2")
    assert route(timid) == [("champion", 1, 1.0, False), ("challenger", 2, 0.0, True)]
    assert generation(timid) == 2
    assert versions(timid) == {"champion": "delay/1", "challenger": "delay/2"}
    latest = timid.platform.records.audit()[0]
    assert (latest.action, latest.details) == ("rollout start", {"rollout": rollout.id, "version": "delay/2"})


def test_a_better_challenger_goes_all_the_way(timid) -> None:
    rollout = timid.platform.rollouts.start("delay", "delay/2")
    timid.live(3)
    assert route(timid) == [("champion", 1, 0.5, False), ("challenger", 2, 0.5, False)]
    timid.live(3)
    (ended,) = timid.platform.rollouts.list()
    assert (ended.id, ended.state) == (rollout.id, RolloutState.PROMOTED)
    assert route(timid) == [("champion", 2, 1.0, False)]
    assert generation(timid) == 4
    assert versions(timid) == {"champion": "delay/2"}
    (decision,) = timid.platform.records.decisions("delay")
    assert decision.outcome == "promoted: delay/2 against delay/1"
    assert "labelled pairs" in decision.reasons[0]
    assert {each["name"] for each in decision.evidence["guardrails"]} >= {"quality", "errors", "latency"}
    assert timid.platform.rollouts.advance("delay") is None


def test_a_harmful_challenger_never_gets_traffic(timid) -> None:
    # Two days of shadow would end before the bounds on the loss begin, at 50 labelled hours.
    shadow, canary = timid.settings.endpoints[0].rollout.steps
    plan = replace(timid.settings.endpoints[0].rollout, steps=(replace(shadow, at_least=3 * DAY), canary))
    timid.change(rollout=plan)
    rollout = timid.platform.rollouts.start("delay", "delay/2")
    timid.live(3, distort=lambda name, scores: 1 - scores if name == "challenger" else scores)
    (ended,) = timid.platform.rollouts.list()
    assert (ended.id, ended.state, ended.step) == (rollout.id, RolloutState.ROLLED_BACK, 0)
    assert route(timid) == [("champion", 1, 1.0, False)]
    assert versions(timid) == {"champion": "delay/1"}
    (decision,) = timid.platform.records.decisions("delay")
    assert decision.outcome.startswith("rolled_back: delay/2")
    assert "is worse" in decision.reasons[0]


def test_a_person_may_end_it(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    ended = timid.platform.rollouts.abort("delay", "holidays")
    assert ended.state is RolloutState.ABORTED
    assert route(timid) == [("champion", 1, 1.0, False)]
    (decision,) = timid.platform.records.decisions("delay")
    assert (decision.outcome[:7], decision.reasons) == ("aborted", ("aborted: holidays",))
    with pytest.raises(NotFound, match="no rollout is under way"):
        timid.platform.rollouts.abort("delay", "again")


def test_an_endpoint_takes_one_challenger_at_a_time(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    timid.train(strength=3.0)
    timid.clock.advance(DAY)
    before, audit = (route(timid), generation(timid), versions(timid)), timid.platform.records.audit()
    with pytest.raises(Conflict, match="already running"):
        timid.platform.rollouts.start("delay", "delay/3")
    assert (route(timid), generation(timid), versions(timid)) == before
    assert timid.platform.records.audit() == audit


def test_the_same_challenger_may_come_back_at_once(timid) -> None:
    first = timid.platform.rollouts.start("delay", "delay/2")
    timid.platform.rollouts.abort("delay", "wrong plan")
    timid.clock.advance(timedelta(seconds=1))
    second = timid.platform.rollouts.start("delay", "delay/2")
    assert second.id != first.id
    assert [each.state for each in timid.platform.rollouts.list()] == [
        RolloutState.RUNNING,
        RolloutState.ABORTED,
    ]


def test_only_labels_that_had_time_to_arrive_count(timid) -> None:
    rollout = timid.platform.rollouts.start("delay", "delay/2")
    start = timid.clock.now()
    timid.serve(start)
    timid.clock.advance(timedelta(hours=20))
    timid.platform.tick()
    with timid.platform.parts.read() as tx:
        (verdict,) = store.verdicts(tx, rollout.id)
    quality = next(each for each in verdict.guardrails if each.name == "quality")
    # All labels of the day are in the log; those of the first eight hours are older than the horizon of twelve.
    assert (
        quality.n == timid.flown(start).filter(pl.col("predict_at") < start + timedelta(hours=8)).height == 50
    )
    assert verdict.verdict is Verdict.HOLD


@pytest.mark.parametrize("ref", ["delay/1", "delay@champion"])
def test_the_champion_is_no_challenger(timid, ref) -> None:
    with pytest.raises(Conflict, match="delay/1 already is the champion"):
        timid.platform.rollouts.start("delay", ref)


def test_a_version_of_another_model_is_no_challenger(timid) -> None:
    source = timid.root / "pipeline.py"
    source.write_text(source.read_text().replace('"delay", evidence', '"other", evidence'))
    timid.again().train()
    timid.train(strength=2.0)
    with pytest.raises(NotFound, match="serves 'delay', not 'other'"):
        timid.platform.rollouts.start("delay", "other/2")
    assert route(timid) == [("champion", 1, 1.0, False)]


def test_a_challenger_that_does_not_load_is_not_started(timid) -> None:
    digest = timid.platform.releases.version("delay/2").digest
    del timid.artifacts.blobs[timid.artifacts.folders[digest]["weights.json"]]
    with pytest.raises(ArtifactMissing):
        timid.platform.rollouts.start("delay", "delay/2")
    assert route(timid) == [("champion", 1, 1.0, False)]
    assert timid.platform.rollouts.list() == ()


def test_without_a_champion_there_is_nothing_to_compare_with(project) -> None:
    ref = project.train()
    with pytest.raises(NotFound, match="no champion") as refusal:
        project.platform.rollouts.start("delay", ref)
    assert refusal.value.next_command == f"mlwright deploy delay {ref}"


def test_without_steps_a_version_is_deployed_instead(timid) -> None:
    timid.change(rollout=None)
    with pytest.raises(UsageError, match="no rollout steps") as refusal:
        timid.platform.rollouts.start("delay", "delay/2")
    assert refusal.value.next_command == "mlwright deploy delay delay/2"


def test_a_rollout_goes_on_after_a_restart(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    timid.live(1)
    timid.open()
    timid.live(4)
    assert [each.state for each in timid.platform.rollouts.list()] == [RolloutState.PROMOTED]


def test_a_rollout_that_proves_nothing_ends_at_its_deadline(timid) -> None:
    plan = replace(timid.settings.endpoints[0].rollout, deadline=3 * DAY)
    timid.change(rollout=plan)
    timid.platform.rollouts.start("delay", "delay/2")
    timid.live(3, label=False)
    (ended,) = timid.platform.rollouts.list()
    assert ended.state is RolloutState.INCONCLUSIVE
    assert route(timid) == [("champion", 1, 1.0, False)]
