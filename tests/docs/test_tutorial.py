"""The README's tutorial, typed from top to bottom in an empty folder, with ``mlwright up`` in a second terminal."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_the_tutorial_is_true(reader, blocks) -> None:
    typed = reader.play(blocks("README.md"))
    assert typed >= 15
    assert (reader.folder / ".mlwright" / "mlwright.db").is_file()
