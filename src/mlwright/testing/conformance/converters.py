"""The exam of :class:`mlwright.ports.converters.ModelConverter`.

::

    class TestMyConverter(ConverterConformance):
        @pytest.fixture
        def converter(self) -> ModelConverter: ...

        @pytest.fixture
        def convertible(self, tmp_path) -> Path: ...    # a complete folder that it converts
"""

from pathlib import Path

import pytest
import yaml

from mlwright.errors import MlwrightError
from mlwright.ports.converters import ModelConverter
from mlwright.testing.conformance.gaps import Conformance


class ConverterConformance(Conformance):
    """What every converter promises. Subclasses supply ``converter`` and ``convertible``."""

    def test_has_a_target(self, converter: ModelConverter) -> None:
        """It is typed on command lines."""
        assert converter.target
        assert converter.target == converter.target.strip().lower()

    def test_says_what_it_converts(self, converter: ModelConverter, convertible: Path) -> None:
        """What it says no to is not tried."""
        assert converter.converts(flavors_of(convertible))
        assert not converter.converts(())
        assert not converter.converts(("of_nobody",))

    def test_writes_a_complete_folder_of_its_flavor(
        self, converter: ModelConverter, convertible: Path, tmp_path: Path
    ) -> None:
        """And leaves the other as it was."""
        before = {path: path.read_bytes() for path in convertible.rglob("*") if path.is_file()}
        into = tmp_path / "converted"
        into.mkdir()
        assert converter.convert(convertible, into) in flavors_of(into)
        assert {path: path.read_bytes() for path in convertible.rglob("*") if path.is_file()} == before

    def test_refuses_what_is_no_model(self, converter: ModelConverter, tmp_path: Path) -> None:
        """With an error of ours, and without a folder that looks complete."""
        empty, into = tmp_path / "empty", tmp_path / "converted"
        empty.mkdir()
        into.mkdir()
        with pytest.raises(MlwrightError):
            converter.convert(empty, into)
        assert not (into / "MLmodel").exists()


def flavors_of(folder: Path) -> tuple[str, ...]:
    """The flavors that the MLmodel of a folder names."""
    return tuple(yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"])
