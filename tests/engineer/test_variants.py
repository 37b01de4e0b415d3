"""What means the same gets the same answers; a fault is found wherever it stands."""

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.engineer.corpus.reading import Case, cases, facts, report
from tests.engineer.corpus.seeding import HEALTHY
from tests.engineer.corpus.varying import FAULTS, SAME, Fault, Files, read, with_fault, write

from mlwright.model.findings import Finding, Outcome

VARIED = {
    case.name: case
    for case in cases()
    if case.expected["kind"] == "application"
    and not case.expected.get("generated")
    and not case.expected.get("source")
}
TRAINING = sorted(
    name for name, case in VARIED.items() if case.expected["trains"] and not list(case.folder.glob("*.ipynb"))
)
CHANGES = st.lists(st.sampled_from(sorted(SAME)), min_size=1, max_size=3, unique=True)
QUICK = settings(
    max_examples=50,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=False,
)


@cache
def original(name: str) -> Files:
    return read(VARIED[name].folder)


@cache
def answers(name: str) -> Mapping[str, Finding]:
    return report(facts(VARIED[name], VARIED[name].folder))


def reported(case: Case, files: Files, place: Path) -> Mapping[str, Finding]:
    return report(facts(case, write(files, place / "variant")))


def changed(before: Mapping[str, Finding], after: Mapping[str, Finding]) -> dict[str, str]:
    return {
        id: f"{each.outcome} ({each.evidence}) -> {after[id].outcome} ({after[id].evidence})"
        for id, each in before.items()
        if each.outcome is not after[id].outcome
    }


@given(st.sampled_from(sorted(VARIED)), CHANGES, st.integers(0, 99))
@QUICK
def test_what_means_the_same_is_judged_the_same(
    tmp_path: Path, name: str, changes: list[str], seed: int
) -> None:
    dice, files = random.Random(seed), original(name)
    for change in changes:
        files = SAME[change](files, dice)
    assert changed(answers(name), reported(VARIED[name], files, tmp_path)) == {}


@pytest.mark.parametrize("change", sorted(SAME))
def test_each_change_changes_something(change: str) -> None:
    made = [SAME[change](original(name), random.Random(0)) != original(name) for name in VARIED]
    assert sum(made) >= 10


@pytest.mark.parametrize("change", sorted(SAME))
def test_each_change_alone_leaves_the_healthy_one_healthy(change: str, tmp_path: Path) -> None:
    files = SAME[change](original(HEALTHY), random.Random(0))
    assert changed(answers(HEALTHY), reported(VARIED[HEALTHY], files, tmp_path)) == {}


@given(st.sampled_from(TRAINING), st.sampled_from(FAULTS), st.integers(0, 999))
@QUICK
def test_a_fault_is_found_wherever_it_stands(tmp_path: Path, name: str, fault: Fault, seed: int) -> None:
    made = with_fault(original(name), fault, random.Random(seed))
    assume(made is not None)
    assert made is not None
    files, path, lines = made
    found = reported(VARIED[name], files, tmp_path)[fault.probe]
    assert found.outcome is Outcome.FALSE, f"{path}:{lines.start}: {found.evidence}"
    places = [each for each in found.locations if each.path == path]
    assert any(each.line is None or each.line in lines for each in places), (path, lines, found.locations)


def test_what_one_file_did_two_may_do(tmp_path: Path) -> None:
    files = dict(original("fraud-in-pipeline"))
    whole = files["fraud/train.py"]
    begin, end = whole.index("def build()"), whole.index("def train(")
    files["fraud/model.py"] = whole[: whole.index("SEED = 1")] + "SEED = 1\n\n\n" + whole[begin:end]
    files["fraud/train.py"] = (whole[:begin] + whole[end:]).replace(
        "SEED = 1\n", "from fraud.model import SEED, build\n\n"
    )
    found = changed(answers("fraud-in-pipeline"), reported(VARIED["fraud-in-pipeline"], files, tmp_path))
    assert found == {}
