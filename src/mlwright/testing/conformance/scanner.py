"""The exam of :class:`mlwright.ports.scanner.Scanner`.

::

    class TestMyScanner(ScannerConformance):
        @pytest.fixture
        def scanner(self) -> Scanner: ...

        @pytest.fixture
        def planted(self) -> Files: ...           # each file gives at least one hit of severity error or warning

        @pytest.fixture
        def harmless(self) -> Files: ...          # wanted as well, and none gives such a hit

        @pytest.fixture
        def hidden(self) -> str: ...              # stands in the planted files and must stand in no hit; "" for none
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from mlwright.model.contracts import Severity
from mlwright.model.scans import Hit, Scan
from mlwright.ports.scanner import Scanner
from mlwright.testing.conformance.gaps import Conformance

Files: TypeAlias = Mapping[str, bytes]

HOSTILE: Mapping[str, bytes] = {
    "nothing": b"",
    "null bytes": b"\0" * 3_000,
    "broken UTF-8": b"\xff\xfe\x80abc\xc3(\n" * 50,
    "an endless line": b"a" * 90_000,
    "deep brackets": b"[" * 40_000,
    "deep mapping": b"{'a':" * 5_000,
    "an anchor bomb": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
    "escape sequences": b"\x1b]0;title\x07\x1b[31m\r\n" * 100,
    "an archive's head": b"PK\x03\x04" + b"\xff" * 200,
    "a pickle's head": b"\x80\x04\x95" + b"\xff" * 200,
}


def write(root: Path, files: Files) -> list[str]:
    """Write files below a folder and return their paths."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return sorted(files)


class ScannerConformance(Conformance):
    """What every scanner promises. Subclasses supply ``scanner``, ``planted``, ``harmless`` and ``hidden``."""

    def test_says_what_it_is(self, scanner: Scanner, planted: Files, tmp_path: Path) -> None:
        """Its topic is one word, and its scans name it."""
        scan = scanner.scan(tmp_path, write(tmp_path, planted))
        assert scanner.topic.isidentifier()
        assert (scan.topic, scan.missing, scan.install) == (scanner.topic, "", "")
        assert scan.scanner

    def test_wants_its_files(self, scanner: Scanner, planted: Files, harmless: Files) -> None:
        """At any depth that its kind of file may have, and no file that is empty."""
        for path, data in {**planted, **harmless}.items():
            assert scanner.wants(path, len(data)), path
            assert not scanner.wants(path, 0), path
        assert not scanner.wants("picture.png", 1_000)

    def test_finds_what_is_planted(self, scanner: Scanner, planted: Files, tmp_path: Path) -> None:
        """In each file, and nowhere else."""
        scan = scanner.scan(tmp_path, write(tmp_path, planted))
        assert {hit.location.path for hit in alarming(scan)} == set(planted)
        assert scan.looked_at == len(planted)

    def test_leaves_the_harmless_alone(self, scanner: Scanner, harmless: Files, tmp_path: Path) -> None:
        """They were looked at; what is said about them is information."""
        scan = scanner.scan(tmp_path, write(tmp_path, harmless))
        assert not list(alarming(scan))
        assert scan.looked_at == len(harmless)

    def test_hits_are_sorted_and_fit_a_report(
        self, scanner: Scanner, planted: Files, hidden: str, tmp_path: Path
    ) -> None:
        """By place and rule, in printable text, without what must stay hidden and without this machine's folders."""
        scan = scanner.scan(tmp_path, write(tmp_path, planted))
        places = [
            (hit.location.path, hit.location.cell or 0, hit.location.line or 0, hit.rule) for hit in scan.hits
        ]
        assert places == sorted(places)
        for hit in scan.hits:
            assert hit.rule, hit
            assert hit.message.isprintable()
            assert len(hit.message) < 1_000
        assert str(tmp_path) not in repr(scan)
        assert not hidden or hidden not in repr(scan)

    def test_says_the_same_again(
        self, scanner: Scanner, planted: Files, harmless: Files, tmp_path: Path
    ) -> None:
        """Whatever the order in which files are named, and however often, and wherever the root is."""
        first = scanner.scan(tmp_path / "a", write(tmp_path / "a", {**planted, **harmless}))
        paths = write(tmp_path / "b", {**planted, **harmless})
        assert scanner.scan(tmp_path / "b", [*reversed(paths), *paths]) == first

    def test_no_files_are_no_hits(self, scanner: Scanner, tmp_path: Path) -> None:
        """Nothing to look at is no failure."""
        scan = scanner.scan(tmp_path, [])
        assert (scan.hits, scan.looked_at, scan.missing) == ((), 0, "")

    def test_files_that_vanish_are_passed_over(
        self, scanner: Scanner, planted: Files, tmp_path: Path
    ) -> None:
        """Somebody may work in the repository while it is looked at."""
        *gone, stays = write(tmp_path, planted)
        for path in gone:
            (tmp_path / path).unlink()
        scan = scanner.scan(tmp_path, [*gone, stays, f"not/there/{stays}"])
        assert {hit.location.path for hit in scan.hits} == {stays}

    def test_nothing_leads_out_of_the_root(self, scanner: Scanner, planted: Files, tmp_path: Path) -> None:
        """No link, no ``..``, no absolute path; and a pipe is not waited for."""
        path = write(tmp_path / "outside", planted)[0]
        root = tmp_path / "root"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(tmp_path / "outside" / path, root / path)
        os.symlink(tmp_path / "outside", root / "folder")
        os.mkfifo(root / f"pipe-{Path(path).name}")
        paths = [path, f"folder/{path}", f"../outside/{path}", str(tmp_path / "outside" / path), ""]
        scan = scanner.scan(root, [*paths, f"pipe-{Path(path).name}", "a\0b", "."])
        assert (scan.hits, scan.looked_at) == ((), 0)

    @pytest.mark.parametrize("bytes_", HOSTILE.values(), ids=HOSTILE.keys())
    def test_hostile_bytes_raise_nothing(
        self, scanner: Scanner, planted: Files, bytes_: bytes, tmp_path: Path
    ) -> None:
        """Alone or between good files, which are not lost."""
        *_, last = write(tmp_path, planted)
        folder, _, name = last.rpartition("/")
        hostile = f"{folder}/0{name}".lstrip("/") if not name.startswith(("Docker", ".")) else f"0/{name}"
        paths = write(tmp_path, {**planted, hostile: bytes_})
        scan = scanner.scan(tmp_path, paths)
        assert scan.missing == ""
        assert {hit.location.path for hit in alarming(scan)} >= set(planted)

    def test_changes_nothing(self, scanner: Scanner, planted: Files, tmp_path: Path) -> None:
        """No cache, no log, no lock file in the repository."""
        paths = write(tmp_path, planted)
        before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
        scanner.scan(tmp_path, paths)
        assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def alarming(scan: Scan) -> Iterator[Hit]:
    """The hits that say that something is wrong."""
    return (hit for hit in scan.hits if hit.severity is not Severity.INFO)
