"""Images on fakes: what the folder holds, what is refused, and how a container is tried."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlwright.errors import (
    Conflict,
    EnvironmentFailed,
    EnvironmentUndecided,
    ModelLoadFailed,
    NotFound,
    UsageError,
)
from mlwright.model.findings import Outcome
from mlwright.model.images import INDEX, INSTALLED, ImageOrder
from mlwright.platform.imaging import ImagingJourney, default_base
from mlwright.platform.releases import ReleaseJourney
from mlwright.ports.images import ImageTools
from mlwright.stages.images.baked import read_baked
from mlwright.testing.fakes.images import MemoryEngine, NamedPackages
from mlwright.wiring.engineer import open_engineer

VERSIONS = {
    "httptools": "0.6", "msgspec": "0.19", "numpy": "2.1", "packaging": "24.0", "pyyaml": "6.0", "uvloop": "0.21",
    "mlwright": "0.1.0", "polars": "1.20", "scikit-learn": "1.5", "jsonschema": "4.23",
}  # fmt: skip
ORDER = ImageOrder(base=default_base(), packages=INSTALLED)
DIGEST = "sha256:" + "0123456789abcdef" * 4


class Studio:
    """The journey over a project, and its fakes."""

    def __init__(
        self, project, engine: MemoryEngine | None = None, packages: NamedPackages | None = None
    ) -> None:
        self.engine = engine or MemoryEngine()
        self.packages = packages or NamedPackages(VERSIONS)
        tools = ImageTools(
            self.packages, lambda name: None if name == "podman" else self.engine, "linux/amd64"
        )
        parts = replace(project.platform.parts, images=tools)
        self.imaging = ImagingJourney(parts, ReleaseJourney(parts))


@pytest.fixture
def studio(released) -> Studio:
    return Studio(released)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_the_folder_holds_all_that_the_build_reads(studio, tmp_path) -> None:
    context = studio.imaging.write("delay", ORDER, tmp_path / "image")
    files = contents(context.folder)
    assert context.ref == "delay/1"
    assert context.tag == "delay:1"
    assert context.bytes == sum(map(len, files.values()))
    assert (context.hashed, context.offline) == (True, True)
    assert {"Dockerfile", ".dockerignore", "requirements.txt", "endpoint/endpoint.json"} <= files.keys()
    assert "endpoint/model/MLmodel" in files
    names = ["httptools", "msgspec", "numpy", "packaging", "polars", "pyyaml", "uvloop"]
    assert context.pins == tuple(f"{name}=={VERSIONS[name]}" for name in names)
    assert all(f"wheels/{each.replace('==', '-')}-py3-none-any.whl" in files for each in context.pins)
    baked = read_baked(context.folder / "endpoint")
    assert baked.endpoint.model == baked.ref == "delay/1"
    assert baked.endpoint.rollout is baked.endpoint.retrain is None
    assert any("wind" in view.features for view in baked.views)
    assert baked.outputs == {}
    assert any("looks up" in each for each in context.notes)


def test_no_secret_of_the_project_is_in_it(studio, released, tmp_path) -> None:
    context = studio.imaging.write("delay", ORDER, tmp_path / "image")
    told = b"".join(contents(context.folder).values())
    for secret in (str(released.root), released.settings.database):
        assert secret.encode() not in told


def test_a_registered_version_is_asked_and_compared(studio, tmp_path) -> None:
    context = studio.imaging.write("delay/1", ORDER, tmp_path / "image")
    baked = read_baked(context.folder / "endpoint")
    assert not baked.endpoint.keyed
    rows = len(next(iter(baked.inputs.values())))
    assert rows > 0
    assert {len(each) for each in baked.outputs.values()} == {rows}
    assert "polars==1.20" not in context.pins


def test_equal_orders_give_equal_files(studio, tmp_path) -> None:
    one = studio.imaging.write("delay", ORDER, tmp_path / "one")
    other = studio.imaging.write("delay", ORDER, tmp_path / "other")
    assert contents(one.folder) == contents(other.folder)
    assert contents(studio.imaging.write("delay", ORDER, tmp_path / "one").folder) == contents(other.folder)


def test_what_somebody_else_put_there_stays(studio, tmp_path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "thesis.tex").write_text("four years")
    with pytest.raises(Conflict):
        studio.imaging.write("delay", ORDER, tmp_path / "image")
    assert (tmp_path / "image" / "thesis.tex").read_text() == "four years"


@pytest.mark.parametrize("hashed", [True, False])
def test_packages_of_the_index_are_locked_where_the_index_is_known(released, tmp_path, hashed) -> None:
    studio = Studio(released, packages=NamedPackages(VERSIONS, hashed=hashed))
    context = studio.imaging.write("delay/1", replace(ORDER, packages=INDEX), tmp_path / "image")
    recipe = (context.folder / "Dockerfile").read_text()
    lines = (context.folder / "requirements.txt").read_text()
    assert "numpy==2.1" in lines
    assert ("--hash=sha256:" in lines) == ('"--require-hashes"' in recipe) == context.hashed == hashed
    assert not context.offline
    assert [each.name for each in (context.folder / "wheels").iterdir()] == [
        "mlwright-0.1.0-py3-none-any.whl"
    ]
    assert any("no hashes" in each for each in context.notes) is not hashed


def test_a_missing_package_is_named(released, tmp_path) -> None:
    less = {name: version for name, version in VERSIONS.items() if name != "uvloop"}
    with pytest.raises(EnvironmentFailed) as caught:
        Studio(released, packages=NamedPackages(less)).imaging.write("delay/1", ORDER, tmp_path / "image")
    assert [each.where for each in caught.value.faults] == ["uvloop"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": "python:3.99-slim"}, "Python"),
        ({"platform": "linux/arm64"}, "linux/amd64"),
        ({"tag": "No Spaces"}, "name of an image"),
        ({"base": "python\nRUN rm"}, "name of an image"),
        ({"packages": "conda"}, "index"),
    ],
)
def test_orders_that_cannot_be_carried_out(studio, tmp_path, change, said) -> None:
    with pytest.raises(UsageError, match=said):
        studio.imaging.write("delay", replace(ORDER, **change), tmp_path / "image")
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    ("what", "near"), [("dealy", "delay"), ("delay/7", "delay"), ("dealy@champion", "delay")]
)
def test_a_name_that_is_not_there(studio, tmp_path, what, near) -> None:
    with pytest.raises(NotFound, match=near):
        studio.imaging.write(what, ORDER, tmp_path / "image")


def test_a_container_is_tried_from_inside(studio, tmp_path) -> None:
    context = studio.imaging.write("delay", ORDER, tmp_path / "image")
    lines: list[str] = []
    built = studio.imaging.build(context, studio.engine, lines.append)
    checked = studio.imaging.check(built.tag, studio.engine)
    assert (checked.compared, checked.exit_code, checked.ready_s) == (1, 0, 0.5)
    assert studio.engine.asked[0][-1] == "try"
    assert not studio.engine.running
    assert lines


@pytest.mark.parametrize(
    "engine", [MemoryEngine(says="output 'score', value 0: got 2.0", code=1), MemoryEngine(exit_code=137)]
)
def test_a_container_that_is_not_as_it_should_be(released, tmp_path, engine) -> None:
    studio = Studio(released, engine)
    context = studio.imaging.write("delay", ORDER, tmp_path / "image")
    studio.imaging.build(context, engine, lambda _: None)
    with pytest.raises(ModelLoadFailed, match=r"got 2\.0|137"):
        studio.imaging.check(context.tag, engine)
    assert not engine.running


def test_without_tools_it_says_so(released) -> None:
    with pytest.raises(EnvironmentUndecided):
        released.platform.imaging.engine()


def test_the_engineer_finds_nothing_to_say(studio, tmp_path) -> None:
    """Our own review of the folder that we write: root, secrets, pins, context, cache, linter."""
    order = replace(ORDER, base=f"{default_base()}@{DIGEST}")
    folder = studio.imaging.write("delay/1", order, tmp_path / "image").folder
    report, _ = open_engineer().review(folder)
    containers = [each for each in report.findings if each.id.startswith("container.")]
    wrong = [f"{each.id}: {each.evidence}" for each in containers if each.outcome is Outcome.FALSE]
    assert not wrong
    asked = {each.id for each in containers if each.outcome is Outcome.TRUE}
    assert {"container.non_root", "container.pinned_base", "container.cached_installs"} <= asked


def test_labels_say_what_it_holds(studio, tmp_path) -> None:
    order = replace(ORDER, base=f"{default_base()}@{DIGEST}")
    recipe = (studio.imaging.write("delay", order, tmp_path / "image").folder / "Dockerfile").read_text()
    for label in (f'base.digest="{DIGEST}"', 'title="delay"', 'version="1"', 'mlwright.model="delay/1"'):
        assert label in recipe
    assert "USER 10001\n" in recipe
    assert (
        json.dumps(
            [
                "/opt/venv/bin/python",
                "-I",
                "-X",
                "pycache_prefix=/opt/venv/bytecode",
                "-m",
                "mlwright.doors.up.container",
            ]
        )
        in recipe
    )
