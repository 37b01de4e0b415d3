"""From a registered version to what stands behind an endpoint."""

import pytest

from mlwright.errors import ArtifactMissing, Conflict, NotFound


def refs(project) -> tuple[str | None, list[str]]:
    status = project.platform.releases.status("delay")
    behind = [f"{each.model}/{each.version}" for each in status.route.variants] if status.route else []
    return status.champion and status.champion.ref, behind


def test_versions_are_listed_latest_first_and_found_by_every_name(timid) -> None:
    releases = timid.platform.releases
    assert [each.ref for each in releases.models()] == ["delay/2", "delay/1"]
    assert [releases.version(ref).ref for ref in ("delay", "delay/1", "delay@champion")] == [
        "delay/2",
        "delay/1",
        "delay/1",
    ]
    with pytest.raises(NotFound, match="did you mean 'champion'"):
        releases.version("delay@chmapion")


def test_promote_moves_the_alias_with_one_audit_row_and_no_traffic(timid) -> None:
    rows = len(timid.platform.records.audit())
    moved = timid.platform.releases.promote("delay/2")
    assert (moved.ref, moved.aliases) == ("delay/2", ("champion",))
    assert refs(timid) == ("delay/2", ["delay/1"])
    latest, *rest = timid.platform.records.audit()
    assert len(rest) == rows
    assert (latest.actor, latest.action, latest.subject) == ("tester", "alias", "model:delay/2")
    assert latest.details == {"alias": "champion", "previous": 1, "version": 2}


def test_promote_is_all_or_nothing(timid, monkeypatch) -> None:
    rows = timid.platform.records.audit()
    # The audit row is written after the alias: where it cannot be, the alias must stay.
    monkeypatch.setattr(type(timid.platform.parts), "audit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timid.platform.releases.promote("delay/2")
    assert refs(timid) == ("delay/1", ["delay/1"])
    assert timid.platform.records.audit() == rows


def test_deploy_sets_route_and_alias_and_says_so(timid) -> None:
    before = timid.platform.releases.status("delay").route
    route = timid.platform.releases.deploy("delay", "delay/2")
    assert route.generation == before.generation + 1
    assert refs(timid) == ("delay/2", ["delay/2"])
    # Entities stay with their bucket from one deployment to the next.
    assert route.salt == before.salt
    assert timid.platform.records.audit()[0].details == {"version": "delay/2", "generation": 2}
    assert any(
        str(each.effect) == "endpoint:delay" for each in timid.platform.records.trace("delay/2").effects
    )


def test_deploy_without_a_version_takes_the_alias(timid) -> None:
    timid.platform.releases.promote("delay/2")
    timid.platform.releases.deploy("delay")
    assert refs(timid) == ("delay/2", ["delay/2"])


def test_a_version_that_does_not_load_changes_nothing(timid) -> None:
    audit = timid.platform.records.audit()
    digest = timid.platform.releases.version("delay/2").digest
    files = timid.artifacts.folders[digest]
    del timid.artifacts.blobs[files["weights.json"]]
    with pytest.raises(ArtifactMissing):
        timid.platform.releases.deploy("delay", "delay/2")
    assert refs(timid) == ("delay/1", ["delay/1"])
    assert timid.platform.records.audit() == audit


def test_a_version_of_another_model_is_refused(timid) -> None:
    source = timid.root / "pipeline.py"
    source.write_text(source.read_text().replace('"delay", evidence', '"other", evidence'))
    other = timid.again().train()
    assert other == "other/1"
    with pytest.raises(NotFound, match="serves 'delay', not 'other'"):
        timid.platform.releases.deploy("delay", other)
    assert refs(timid) == ("delay/1", ["delay/1"])


def test_deploy_waits_for_a_rollout_to_end(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    before = refs(timid)
    with pytest.raises(Conflict, match="rollout") as refusal:
        timid.platform.releases.deploy("delay", "delay/2")
    assert refusal.value.next_command == "mlwright rollout abort delay"
    assert refs(timid) == before
    timid.platform.rollouts.abort("delay", "make room")
    timid.platform.releases.deploy("delay", "delay/2")
    assert refs(timid) == ("delay/2", ["delay/2"])


def test_withdraw_leaves_nothing_behind_and_deploy_brings_it_back(timid) -> None:
    releases = timid.platform.releases
    before = releases.status("delay").route
    route = releases.withdraw("delay")
    assert (route.generation, route.variants, route.salt) == (before.generation + 1, (), before.salt)
    assert refs(timid) == ("delay/1", [])
    latest, *rest = timid.platform.records.audit()
    assert (latest.action, latest.subject) == ("withdraw", "endpoint:delay")
    assert latest.details == {"version": "delay/1", "generation": route.generation}
    assert releases.withdraw("delay") == route, "once more changes nothing"
    assert timid.platform.records.audit()[1:] == tuple(rest)
    assert releases.deploy("delay").salt == before.salt
    assert refs(timid) == ("delay/1", ["delay/1"])


def test_withdraw_waits_for_a_rollout_to_end(timid) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    with pytest.raises(Conflict, match="rollout"):
        timid.platform.releases.withdraw("delay")
    assert refs(timid)[1] != []


def test_withdraw_of_what_never_served(project) -> None:
    assert project.platform.releases.withdraw("delay") is None
    with pytest.raises(NotFound, match="did you mean 'delay'"):
        project.platform.releases.withdraw("dealy")


def test_an_unknown_endpoint_gets_the_near_one(project) -> None:
    with pytest.raises(NotFound, match="did you mean 'delay'"):
        project.platform.releases.deploy("dealy")


def test_an_endpoint_without_a_model_has_nothing_and_is_no_error(project) -> None:
    (status,) = project.platform.releases.endpoints()
    assert (status.route, status.champion, status.rollout) == (None, None, None)
