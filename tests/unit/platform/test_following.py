"""Endpoints that follow their alias, without anybody deploying."""

from dataclasses import replace

import pytest

from mlwright.errors import NotFound
from mlwright.model.ids import ModelName
from mlwright.platform.following import FollowJourney
from mlwright.stages.registry import store as registry


@pytest.fixture
def following(timid) -> FollowJourney:
    parts = timid.platform.parts
    return FollowJourney(parts.engine, timid.clock, "follower")


def behind(project) -> list[str]:
    route = project.platform.releases.status("delay").route
    return [f"{each.model}/{each.version}" for each in route.variants]


def test_what_the_alias_points_to_is_served(timid, following) -> None:
    before = timid.platform.releases.status("delay").route
    assert following.follow(timid.settings.endpoints) == ()
    timid.platform.releases.promote("delay/2")
    (route,) = following.follow(timid.settings.endpoints)
    assert behind(timid) == ["delay/2"]
    assert route == timid.platform.releases.status("delay").route
    assert (route.generation, route.salt) == (before.generation + 1, before.salt)
    assert following.follow(timid.settings.endpoints) == ()
    latest = timid.platform.records.audit()[0]
    assert (latest.actor, latest.action, latest.subject) == ("follower", "follow", "endpoint:delay")
    assert latest.details == {"version": "delay/2", "generation": route.generation}
    assert any(
        str(each.effect) == "endpoint:delay" for each in timid.platform.records.trace("delay/2").effects
    )
    assert timid.platform.records.broken_audit_row() is None


def test_one_that_was_withdrawn_or_never_deployed_stays_so(timid, following) -> None:
    timid.platform.releases.withdraw("delay")
    timid.platform.releases.promote("delay/2")
    fresh = replace(timid.settings.endpoints[0], name="fresh")
    assert following.follow((*timid.settings.endpoints, fresh)) == ()
    assert behind(timid) == []
    assert [each.endpoint for each in following.routes()] == ["delay"]


def test_a_rollout_is_left_alone(timid, following) -> None:
    timid.platform.rollouts.start("delay", "delay/2")
    timid.platform.releases.promote("delay/2")
    assert following.follow(timid.settings.endpoints) == ()
    assert behind(timid) == ["delay/1", "delay/2"]


def test_an_alias_that_was_taken_away_takes_nothing_away(timid, following) -> None:
    with timid.platform.parts.write() as tx:
        registry.delete_alias(tx, ModelName("delay"), "champion")
    assert following.follow(timid.settings.endpoints) == ()
    assert behind(timid) == ["delay/1"]


def test_an_endpoint_of_a_fixed_version_follows_nothing(timid, following) -> None:
    timid.platform.releases.promote("delay/2")
    fixed = replace(timid.settings.endpoints[0], model="delay/1")
    assert following.follow((fixed,)) == ()
    assert behind(timid) == ["delay/1"]


def test_pointing_at_what_stands_there_changes_nothing(timid, following) -> None:
    before = timid.platform.releases.status("delay").route
    assert following.point("delay", "delay/1") == before
    route = following.point("delay", "delay/2")
    assert route.generation == before.generation + 1
    assert following.point("delay", "delay") == route  # without a number it is the latest
    with pytest.raises(NotFound, match="has no version 9"):
        following.point("delay", "delay/9")
    assert following.routes() == [route]
