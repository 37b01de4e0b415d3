"""``build image``: one endpoint as an OCI image, built and tried where an engine is there."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, stderr
from mlwright.model.images import INDEX, INSTALLED, BuiltImage, CheckedImage, ImageContext, ImageOrder

if TYPE_CHECKING:
    from mlwright.ports.images import ImageEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of it: the folder, the image where an engine built one, and what a container of it did."""

    context: ImageContext
    image: BuiltImage | None = None
    checked: CheckedImage | None = None
    next_command: str = ""


@click.group("build")
def build() -> None:
    """Build what an endpoint is run from elsewhere."""


@command(
    "image",
    group=build,
    example="mlwright build image churn\nmlwright build image churn/3 --packages installed --engine none",
)
@click.argument("endpoint")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The build context. Default: build/ENDPOINT.",
)
@click.option("--tag", default="", metavar="NAME", help="The image's name. Default: ENDPOINT:VERSION.")
@click.option(
    "--base", metavar="IMAGE", help="An image with Python and pip; with @sha256:… it stays the same."
)
@click.option(
    "--engine",
    type=click.Choice(["docker", "podman", "none"]),
    help="What builds it. Default: the first that is there; none: only write the context.",
)
@click.option(
    "--platform", default="", metavar="OS/ARCH", help="Such as linux/arm64. Default: the engine's own."
)
@click.option(
    "--packages",
    type=click.Choice([INDEX, INSTALLED]),
    default=INDEX,
    show_default=True,
    help="Fetched by the build in the versions installed here, or packed as they are: then it needs no network.",
)
@click.option("--smoke/--no-smoke", default=True, show_default=True, help="Start the image and ask it once.")
def image(
    door: Door,
    endpoint: str,
    output: Path | None,
    tag: str,
    base: str | None,
    engine: str | None,
    platform: str,
    packages: str,
    smoke: bool,
) -> None:
    """Make an OCI image of one endpoint: its model, the packages that serving it needs, and a user that is not root.

    ENDPOINT is an endpoint of mlwright.toml, whose champion the image holds, or a registered version (churn, churn/3,
    churn@champion). The image asks nobody who they are: publish its port to 127.0.0.1, or put a proxy that does in
    front of it.
    """
    from mlwright.platform.imaging import default_base

    imaging = door.any_platform.imaging
    order = ImageOrder(base=base or default_base(), packages=packages, platform=platform, tag=tag)
    chosen = None if engine == "none" else imaging.engine(engine or "")
    with door.working(f"writing what an image of {endpoint} is built from"):
        context = imaging.write(endpoint, order, output)
    if chosen is None:
        words = ["docker", "build", "--tag", context.tag, str(context.folder)]
        door.show(Made(context=context, next_command=shlex.join(words)), _view)
        return
    made = imaging.build(context, chosen, _saying(door, chosen))
    checked = None
    if smoke:
        with door.working(f"trying {context.tag}"):
            checked = imaging.check(context.tag, chosen)
    door.show(
        Made(context=context, image=made, checked=checked, next_command=_run_command(chosen, context.tag)),
        _view,
    )


def _saying(door: Door, engine: "ImageEngine") -> Callable[[str], None]:
    """Each line of the engine, where somebody watches."""
    shows = sys.stderr.isatty() and not door.as_json
    return (
        (lambda line: stderr().print(Text(f"{engine.name}: {line}", style="dim")))
        if shows
        else (lambda _: None)
    )


def _run_command(engine: "ImageEngine", tag: str) -> str:
    limits = "--read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp"
    return f"{engine.name} run --rm {limits} --volume mlwright:/var/lib/mlwright --publish 127.0.0.1:8501:8501 {tag}"


def _view(made: Made) -> RenderableType:
    context, built, checked = made.context, made.image, made.checked
    hashes = "with hashes" if context.hashed else "without hashes"
    rows: dict[str, object] = {
        "endpoint": f"{context.endpoint} ({context.ref})",
        "context": f"{context.folder}, {_size(context.bytes)}",
        "base": context.base,
        "packages": f"{len(context.pins)} {hashes}{', no network needed' if context.offline else ''}",
    }
    if built is not None:
        own = "" if built.own_bytes is None else f", {_size(built.own_bytes)} of it over the base"
        rows["image"] = (
            f"{built.tag}, {_size(built.bytes)}{own}, built by {built.engine} in {built.seconds:.0f} s"
        )
    if checked is not None:
        compared = (
            f"{checked.compared} values as here" if checked.compared else f"{checked.rows} rows, not compared"
        )
        rows["tried"] = f"ready after {checked.ready_s:.1f} s, answered {compared}, ended by itself"
    notes = [Text(f"note: {each}", style="dim") for each in context.notes]
    return Group(pairs(rows), *notes, Text(f"next: {made.next_command}"))


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB"
