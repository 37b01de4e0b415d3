"""A whole repository as facts: the same in one process and in several, with what outside scanners and servers say."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from mlwright.engineer.collect import reading
from mlwright.engineer.collect.collect import collect
from mlwright.engineer.collect.reading import SourceReader
from mlwright.engineer.collect.walk import walk
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.progress import silent
from mlwright.errors import UsageError
from mlwright.model.scans import Scan

Make = Callable[[Mapping[str, str]], Path]
Facts = Callable[..., Repository]

FILES = {
    "train.py": "from sklearn.svm import SVC\nSVC().fit(X, y)\n",
    "broken.py": "def (",
    "tests/test_train.py": "def test_x():\n    assert True\n",
    "look.ipynb": '{"cells": [{"cell_type": "code", "source": "f(1, True, 1.0)"}], "metadata": {}}',
    "deploy.yaml": "kind: Pod\n",
}


def test_everything_is_there_by_path(facts_of: Facts) -> None:
    repository = facts_of(FILES)
    assert [each.path for each in repository.python] == [
        "broken.py",
        "look.ipynb",
        "tests/test_train.py",
        "train.py",
    ]
    assert [each.path for each in repository.production] == ["broken.py", "look.ipynb", "train.py"]
    assert repository.tests[0].asserts == 1
    assert repository.profile.trains
    assert repository.unread == ("broken.py: line 1: invalid syntax",)
    assert repository.name == "repository"


def test_several_processes_read_what_one_reads(make_repository: Make) -> None:
    root = make_repository(
        {**FILES, **{f"pkg/part_{number}.py": f"x_{number} = f({number})\n" for number in range(20)}}
    )
    files = walk(root).files
    here = SourceReader(root, files, processes=0).finish(silent)
    apart = SourceReader(root, files, processes=2).finish(silent)
    assert here == apart
    assert len(here.files) == 24


def test_the_same_repository_gives_the_same_facts(make_repository: Make) -> None:
    root = make_repository(FILES)
    assert collect(root) == collect(root)


def test_progress_is_told_up_to_the_end(make_repository: Make) -> None:
    told: list[tuple[str, int, int]] = []
    collect(make_repository(FILES), progress=lambda *said: told.append(said))
    assert ("Python files", 4, 4) in told


def test_scanners_see_the_files_that_they_want(make_repository: Make) -> None:
    seen: list[str] = []

    class Secrets:
        topic = "secrets"

        def wants(self, path: str, size: int) -> bool:
            return path.endswith(".yaml")

        def scan(self, root: Path, paths: Sequence[str]) -> Scan:
            seen.extend(paths)
            return Scan(scanner="ours", version="1", topic="secrets", looked_at=len(paths))

    (scan,) = collect(make_repository(FILES), scanners=[Secrets()]).scans
    assert seen == ["deploy.yaml"]
    assert scan.looked_at == 1


def test_budgets_are_by_bytes_and_production_comes_first(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SOURCE", 2_000_000)
    monkeypatch.setattr(reading, "ALL_SOURCES", 250)
    line = f"x = '{'a' * 90}'\n"
    root = make_repository({"a_test.py": line, "b.py": line, "c.py": line, "d.py": "y = 1\n"})
    read = SourceReader(root, walk(root).files, processes=0).finish(silent)
    assert [each.path for each in read.files] == ["b.py", "c.py", "d.py"]
    assert read.unread == ("a_test.py: beyond what is read of .py files in all",)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        collect(tmp_path / "none")
