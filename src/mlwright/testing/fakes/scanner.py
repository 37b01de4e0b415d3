"""A scanner that looks for words."""

from collections.abc import Sequence
from pathlib import Path

from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan


class WordScanner:
    """Reports every line of a .txt file that holds one of the words; ``missing`` makes it one that is not installed."""

    def __init__(self, *words: str, topic: str = "words", missing: str = "") -> None:
        self._words = words
        self._topic = topic
        self._missing = missing

    @property
    def topic(self) -> str:
        """What it looks for."""
        return self._topic

    def wants(self, path: str, size: int) -> bool:
        """Text files; see ``Scanner.wants``."""
        return path.endswith(".txt") and 0 < size <= 100_000

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """Look for the words; see ``Scanner.scan``."""
        if self._missing:
            return Scan(
                scanner="words",
                version="",
                topic=self._topic,
                missing=self._missing,
                install="pip install words",
            )
        hits, looked_at = [], 0
        for path in sorted(set(paths)):
            if "\0" in path or (file := root.resolve() / path).resolve() != file or not file.is_file():
                continue  # no file, or reached by a link or by ".."
            if root.resolve() not in file.parents:
                continue
            looked_at += 1
            for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
                for index, word in enumerate(self._words):
                    if word.encode() in line:
                        hits.append(
                            Hit(
                                rule=f"word-{index}",
                                message="a word that should not be here",
                                severity=Severity.ERROR,
                                location=Location(path=path, line=number),
                            )
                        )
        return Scan(scanner="words", version="1", topic=self._topic, looked_at=looked_at, hits=tuple(hits))
