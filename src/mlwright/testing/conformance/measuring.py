"""The exam of :class:`mlwright.ports.measuring.Measuring`.

::

    class TestMyMeasuring(MeasuringConformance):
        @pytest.fixture
        def measuring(self) -> Measuring: ...

        @pytest.fixture
        def loadable(self, tmp_path) -> Path: ...    # a complete folder that it loads
"""

from pathlib import Path

import pytest

from mlwright.errors import ModelLoadFailed
from mlwright.ports.measuring import Measuring
from mlwright.testing.conformance.gaps import Conformance


class MeasuringConformance(Conformance):
    """What is promised of models alone. Subclasses supply ``measuring`` and ``loadable``."""

    def test_a_model_has_a_footprint(self, measuring: Measuring, loadable: Path) -> None:
        """Times are above 0; memory is in order, where it is known."""
        found = measuring.footprint(loadable)
        assert found.load_s > 0
        assert found.first_s > 0
        known = [each for each in (found.base, found.loaded, found.peak) if each is not None]
        assert known == sorted(known)
        assert all(each > 1 << 20 for each in known)

    def test_what_does_not_load_has_none(self, measuring: Measuring, tmp_path: Path) -> None:
        """An empty folder."""
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(ModelLoadFailed):
            measuring.footprint(empty)
