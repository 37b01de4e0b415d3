"""The exams of :class:`mlwright.ports.images.ImageEngine` and :class:`mlwright.ports.images.Packages`.

::

    class TestMyEngine(ImageEngineConformance):
        @pytest.fixture
        def engine(self) -> ImageEngine: ...

        @pytest.fixture
        def context(self) -> ImageContext: ...    # of an image whose ``quick`` program says something and ends well

    class TestMyPackages(PackagesConformance):
        @pytest.fixture
        def packages(self) -> Packages: ...

        @pytest.fixture
        def root(self) -> str: ...                # the name of a package that needs at least one other
"""

from dataclasses import replace
from pathlib import Path

import pytest

from mlwright.errors import EnvironmentFailed, NotFound
from mlwright.model.images import ImageContext
from mlwright.ports.images import ImageEngine, Packages
from mlwright.testing.conformance.gaps import Conformance


class ImageEngineConformance(Conformance):
    """What every engine promises. Subclasses supply ``engine``, ``context`` and may supply ``quick``."""

    @pytest.fixture
    def quick(self) -> tuple[str, ...]:
        """A program of the image that says something and ends with 0."""
        return ("quick",)

    def test_what_was_built_starts_answers_and_ends(
        self, engine: ImageEngine, context: ImageContext, quick: tuple[str, ...]
    ) -> None:
        """The whole life of a container; nothing is left of it."""
        lines: list[str] = []
        built = engine.build(context, lines.append)
        assert built.tag == context.tag
        assert built.engine == engine.name
        assert built.id.startswith("sha256:")
        assert built.bytes >= (built.own_bytes or 0) >= 0
        assert lines
        container = engine.start(built.tag)
        asked = engine.ask(container, quick)
        assert asked.code == 0, asked.err
        assert asked.out.strip()
        assert engine.stop(container, 10.0).code == 0
        assert engine.ask(container, quick).code != 0

    def test_the_command_names_tag_and_folder(self, engine: ImageEngine, context: ImageContext) -> None:
        """Somebody may type it."""
        line = engine.command(context)
        assert line.startswith(engine.name)
        assert context.tag in line
        assert str(context.folder) in line

    def test_a_recipe_that_does_not_build(
        self, engine: ImageEngine, context: ImageContext, tmp_path: Path
    ) -> None:
        """The engine's own words are the reason."""
        (tmp_path / "Dockerfile").write_text("THIS is no recipe\n")
        with pytest.raises(EnvironmentFailed):
            engine.build(replace(context, folder=tmp_path, tag="mlwright-broken:1"), lambda _: None)

    def test_an_image_that_is_not_there(self, engine: ImageEngine) -> None:
        """Nothing is fetched under that name either."""
        with pytest.raises(NotFound):
            engine.start("mlwright-nobody-built-this:1")


class PackagesConformance(Conformance):
    """What everything promises that tells packages. Subclasses supply ``packages`` and ``root``."""

    def test_pins_hold_what_is_needed_too(self, packages: Packages, root: str) -> None:
        """In order, each once, and each installed."""
        pins = packages.pins([root, root], "3.11")
        names = [each.name for each in pins]
        assert root in names
        assert len(names) > 1
        assert names == sorted(set(names))
        assert set(names) <= set(packages.names())

    def test_what_is_not_installed_is_named(self, packages: Packages, root: str) -> None:
        """All that is missing at once."""
        with pytest.raises(EnvironmentFailed) as caught:
            packages.pins([root, "mlwright-nobody-made-this", "nor-this"], "3.11")
        assert {each.where for each in caught.value.faults} == {"mlwright-nobody-made-this", "nor-this"}

    def test_equal_packages_give_equal_wheels(self, packages: Packages, root: str, tmp_path: Path) -> None:
        """Byte by byte, with the name that installers read."""
        one, other = (packages.wheel(root, tmp_path / name) for name in ("one", "other"))
        assert one.name == other.name
        assert one.name.endswith(".whl")
        assert one.name.lower().startswith(root.replace("-", "_"))
        assert one.read_bytes() == other.read_bytes()

    def test_no_wheel_of_what_is_not_installed(self, packages: Packages, tmp_path: Path) -> None:
        """There are no files to pack."""
        with pytest.raises(EnvironmentFailed):
            packages.wheel("mlwright-nobody-made-this", tmp_path)

    def test_a_lock_holds_every_pin_or_there_is_none(self, packages: Packages, root: str) -> None:
        """Half a lock would be refused by the installer."""
        pins = packages.pins([root], "3.11")
        lines = packages.lock(pins, "3.11", "")
        assert lines is None or (
            all(f"{each.name}==" in lines.lower() for each in pins) and "--hash=sha256:" in lines
        )
