"""Small repositories, sick and healthy: every fault that is there is found, and nothing else is said.

``corpus/reading.py`` says what an ``expected.yaml`` holds, and what counts as a false claim and as a miss.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.engineer.corpus.reading import (
    FOLDER,
    PROBES,
    Case,
    Compared,
    cases,
    compare,
    facts,
    lay_out,
    named,
    report,
)

from mlwright.model.findings import Outcome

CASES = {case.name: case for case in cases()}
Look = Callable[[Case], Compared]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def looked(case: Case) -> Compared:
        root = lay_out(case, tmp_path)
        repository = facts(case, root)
        return compare(case, root, repository, report(repository))

    return looked


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_report_says_what_is_so_and_nothing_else(name: str, look: Look) -> None:
    case = CASES[name]
    compared = look(case)
    wrong = {each.probe for each in compared.false_claims}
    assert wrong == set(case.expected.get("known_wrong") or ()), list(compared.false_claims)
    assert set(compared.missed) == set(case.expected.get("known_missed") or ())
    assert [each for each in compared.broken if each.split()[0] not in wrong] == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_same_files_give_the_same_findings(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    first = facts(case, lay_out(case, tmp_path / "first"))
    second = facts(case, lay_out(case, tmp_path / "second"))
    assert msgspec.json.encode(list(report(first).values())) == msgspec.json.encode(
        list(report(second).values())
    )


def test_the_corpus_is_as_large_and_as_blind_as_it_says() -> None:
    assert len(CASES) >= 40
    held = [case for case in CASES.values() if case.held_out]
    assert 3 * len(held) >= len(CASES) - 3
    assert {case.expected["kind"] for case in CASES.values()} == {"application", "library", "other"}
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(CASES), "each folder has an expected.yaml"


@pytest.mark.parametrize("name", sorted(CASES))
def test_expectations_name_probes_that_there_are(name: str) -> None:
    assert sorted({id for id in named(CASES[name]) if id != "*" and id not in PROBES}) == []


def test_every_topic_has_something_to_find_and_something_to_leave_alone() -> None:
    topics = {id.partition(".")[0] for id in PROBES} - {"running"}
    found = {id.partition(".")[0] for case in CASES.values() for id in case.expected["must_find"]}
    spared = {
        id.partition(".")[0] for case in CASES.values() for id in case.expected.get("must_not_claim") or ()
    }
    asked = {id.partition(".")[0] for case in CASES.values() for id in case.expected.get("holds") or ()}
    assert topics - spared - asked == set()
    assert topics - found <= {"governance", "pipeline", "release"}, (
        "what nobody can say of a place is in absences.yaml"
    )


def test_hostile_files_are_named_as_unread(tmp_path: Path) -> None:
    case = CASES["hostile"]
    repository = facts(case, lay_out(case, tmp_path))
    told = " ".join(
        (*repository.unread, *(f"{each.path}: {each.fault}" for each in repository.python if each.fault))
    )
    for path in ("broken.py", "tabs.py", "broken.yaml", "notebook.ipynb", "loop", "outside", "deep.py"):
        assert path in told, told
    assert not any(each.outcome is Outcome.ERROR for each in report(repository).values())


def test_git_keeps_all_of_it() -> None:
    git = shutil.which("git")
    files = sorted(
        str(path) for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    inside = git and subprocess.run([git, "rev-parse"], cwd=FOLDER, capture_output=True).returncode == 0
    if not git or not inside:
        pytest.skip("not a clone")
    said = subprocess.run(
        [git, "check-ignore", "--stdin"], cwd=FOLDER, input="\n".join(files), capture_output=True, text=True
    )
    assert [path for path in said.stdout.splitlines() if ".ruff_cache" not in path] == []
