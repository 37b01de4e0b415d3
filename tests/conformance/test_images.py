import stat
import sys
from pathlib import Path

import pytest

import mlwright
from mlwright.adapters.images.engines import CommandEngine
from mlwright.adapters.images.packages import InstalledPackages
from mlwright.model.images import ImageContext
from mlwright.testing.conformance.images import ImageEngineConformance, PackagesConformance
from mlwright.testing.fakes.images import MemoryEngine, NamedPackages

# What docker says to the words that are used here, as far as they matter: a real one sits the exam in tests/verify.
DOCKER = """\
import json, pathlib, sys
state = pathlib.Path(__file__).parent
images, running = state / "images", state / "running"
words = [each for each in sys.argv[1:] if not each.startswith("--")]
if words[0] == "build":
    text = (pathlib.Path(words[-1]) / "Dockerfile").read_text()
    print("Step 1/1 : " + text.splitlines()[0])
    if not text.startswith("FROM "):
        sys.exit("dockerfile parse error line 1: unknown instruction: THIS")
    with images.open("a") as file:
        file.write(words[-2] + "\\n")
elif words[:2] == ["image", "inspect"]:
    if not images.exists() or words[2] not in images.read_text().split():
        sys.exit("Error: No such image: " + words[2])
    print(json.dumps([{"Id": "sha256:abc", "Size": 1000}]))
elif words[0] == "run":
    running.touch()
    print("0123456789ab")
elif words[0] == "exec":
    print("well") if running.exists() else sys.exit("Error: No such container: " + words[1])
elif words[0] == "wait":
    print(0)
elif words[0] == "rm":
    running.unlink()
"""


@pytest.fixture
def context(tmp_path: Path) -> ImageContext:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return ImageContext(
        folder=folder,
        endpoint="delay",
        ref="delay/1",
        tag="delay:1",
        base="scratch",
        platform="",
        pins=(),
        hashed=True,
        offline=True,
        bytes=13,
    )


class TestMemoryEngine(ImageEngineConformance):
    @pytest.fixture
    def engine(self) -> MemoryEngine:
        return MemoryEngine()


class TestCommandEngine(ImageEngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> CommandEngine:
        program = tmp_path / "docker"
        program.write_text(f"#!{sys.executable}\n{DOCKER}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return CommandEngine([str(program)])


class TestNamedPackages(PackagesConformance):
    @pytest.fixture
    def packages(self) -> NamedPackages:
        return NamedPackages({"one": "1.0", "two": "2.0"}, {"one": ["two"]})

    @pytest.fixture
    def root(self) -> str:
        return "one"


class TestInstalledPackages(PackagesConformance):
    @pytest.fixture
    def packages(self) -> InstalledPackages:
        return InstalledPackages(Path(str(mlwright.__file__)).parent, mlwright.__version__)

    @pytest.fixture
    def root(self) -> str:
        return "jinja2"
