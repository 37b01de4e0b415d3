"""Small repositories on disk, and what is read of them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from mlwright.engineer.collect.collect import collect
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.model.scans import Scan

# The sick and healthy repositories of the corpus have tests of their own, which are read and never run.
collect_ignore = ["corpus"]

Content = str | bytes | Mapping[str, object]
Make = Callable[[Mapping[str, Content]], Path]


class SaysScan:
    """A scanner that says what a test wants."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    @property
    def topic(self) -> str:
        return self._scan.topic

    def wants(self, path: str, size: int) -> bool:
        return True

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        return self._scan


@pytest.fixture
def make_repository(tmp_path: Path) -> Make:
    """Write files into a new folder: text, bytes, ``{bytes: N}`` for N zeros, ``{base64: …}`` to be decoded."""
    made: list[Path] = []

    def make(files: Mapping[str, Content]) -> Path:
        root = tmp_path / str(len(made)) / "repository"
        root.mkdir(parents=True)
        made.append(root)
        for path, content in files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Mapping) and "bytes" in content:
                with place.open("wb") as stream:
                    stream.truncate(int(str(content["bytes"])))
            elif isinstance(content, Mapping):
                place.write_bytes(base64.b64decode(str(content["base64"])))
            elif isinstance(content, bytes):
                place.write_bytes(content)
            else:
                place.write_text(content, encoding="utf-8")
        return root

    return make


@pytest.fixture
def facts_of(make_repository: Make) -> Callable[..., Repository]:
    """What is read of these files: ``facts_of(files, server=None, scans=())``."""

    def read(
        files: Mapping[str, Content], server: ServerFacts | None = None, scans: Sequence[Scan] = ()
    ) -> Repository:
        return collect(make_repository(files), server=server, scanners=[SaysScan(scan) for scan in scans])

    return read
