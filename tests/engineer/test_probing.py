"""Asking: every outcome arrives, a broken probe stops nobody, what comes after something waits for it."""

from dataclasses import replace

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import FileEntry, Repository
from mlwright.engineer.probe import Probe, When, no, yes
from mlwright.engineer.probing import ask
from mlwright.model.assessment import Profile, RepositoryKind
from mlwright.model.findings import Location, Outcome

PROFILE = Profile(
    kind=RepositoryKind.APPLICATION, trains=True, serves=False, frameworks=(), tools=(), reasons=()
)
PLACE = Location(path="train.py", line=3)
REPOSITORY = Repository(name="shop", files=(), profile=PROFILE)


def probe(id: str, look=lambda repository: yes("seen"), **changes: object) -> Probe:
    return Probe(id=id, title="it holds", why="Because.", remedy="do it", look=look, **changes)


def outcomes(*probes: Probe, repository: Repository = REPOSITORY) -> dict[str, Outcome]:
    return {finding.id: finding.outcome for finding in ask(repository, probes)}


def test_findings_carry_what_the_probe_and_its_answer_say() -> None:
    place = Location(path="train.py", line=3)
    (finding,) = ask(REPOSITORY, [probe("a.b", lambda repository: no("two of them", place, place, count=2))])
    assert (finding.outcome, finding.evidence, finding.locations) == (Outcome.FALSE, "two of them", (place,))
    assert (finding.title, finding.remedy, finding.values) == ("it holds", "do it", {"count": 2})


def test_a_probe_that_breaks_is_shown_and_stops_nobody() -> None:
    def breaks(repository: Repository):
        raise KeyError("spec")

    found = ask(REPOSITORY, [probe("a.broken", breaks), probe("b.whole")])
    assert [each.outcome for each in found] == [Outcome.ERROR, Outcome.TRUE]
    assert "KeyError: 'spec'" in found[0].evidence
    assert "report this" in found[0].remedy


def test_a_question_waits_for_the_one_before_it() -> None:
    first, second = probe("z.first", lambda repository: no("none")), probe("a.second", after="z.first")
    third = probe("b.third", after="a.second")
    found = {each.id: each for each in ask(REPOSITORY, [first, second, third])}
    assert found["a.second"].outcome is Outcome.NOT_APPLICABLE
    assert found["a.second"].values["blocked_by"] == "z.first"
    assert found["b.third"].values["blocked_by"] == "a.second"
    assert outcomes(probe("z.first"), second, third) == dict.fromkeys(
        ("a.second", "b.third", "z.first"), Outcome.TRUE
    )


def test_what_does_not_arise_before_does_not_block() -> None:
    first = probe("z.first", when=When.SERVES)
    (second, _) = ask(REPOSITORY, [probe("a.second", after="z.first"), first])
    assert (second.outcome, second.values) == (Outcome.NOT_APPLICABLE, {})


def test_each_question_is_put_only_where_it_arises() -> None:
    every = [probe(f"when.{when.value}", when=when) for when in When]
    assert outcomes(*every) == {
        "when.always": Outcome.TRUE,
        "when.code": Outcome.NOT_APPLICABLE,
        "when.ml": Outcome.TRUE,
        "when.running": Outcome.NOT_AVAILABLE,
        "when.serves": Outcome.NOT_APPLICABLE,
        "when.trains": Outcome.TRUE,
    }
    library = replace(REPOSITORY, profile=replace(PROFILE, kind=RepositoryKind.LIBRARY))
    assert outcomes(*every, repository=library)["when.trains"] is Outcome.NOT_APPLICABLE


def test_what_a_release_leaves_out_is_unknown() -> None:
    release = replace(REPOSITORY, files=(FileEntry(path="PKG-INFO", bytes=9, role=Role.PRODUCTION),))
    absent, present = (
        probe("a.b", lambda repository: no("no hooks")),
        probe("a.c", lambda repository: no("bad", PLACE)),
    )
    assert outcomes(absent, present) == {"a.b": Outcome.FALSE, "a.c": Outcome.FALSE}
    assert outcomes(absent, present, repository=release) == {
        "a.b": Outcome.NOT_AVAILABLE,
        "a.c": Outcome.FALSE,
    }
