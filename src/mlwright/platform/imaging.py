"""Journey of an image: from what stands behind an endpoint to a folder that any engine builds, and a container."""

import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from mlwright import __version__
from mlwright.errors import (
    Conflict,
    EnvironmentUndecided,
    ModelLoadFailed,
    StorageError,
    UsageError,
)
from mlwright.model.batches import batch_of
from mlwright.model.images import (
    INDEX,
    INSTALLED,
    Baked,
    BuiltImage,
    CheckedImage,
    ImageContext,
    ImageOrder,
    Pin,
)
from mlwright.model.registry import ModelVersion, Signature, parse_model_ref
from mlwright.model.settings import EndpointSettings
from mlwright.platform.parts import Parts
from mlwright.platform.real_rows import example_of
from mlwright.platform.releases import ReleaseJourney, named_version
from mlwright.ports.images import ImageEngine, ImageTools
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.images import needs, recipe
from mlwright.stages.images.baked import FILE, MODEL, digest_of, encode_baked
from mlwright.stages.pipelines.choosing import choose, not_loadable
from mlwright.stages.registry.survey import survey

_PLACE: Final = "endpoint"
_WHEELS: Final = "wheels"
_MARK: Final = ".mlwright-image"
"""Stands in a folder that was written here, so that nothing else is ever replaced."""
_MOST_ROWS: Final = 5
_GRACE_S: Final = 20.0
_PYTHON: Final = re.compile(r"(?:^|/)python:(\d+\.\d+)")
_TAG: Final = re.compile(
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\d+/[a-z0-9._/-]+)?(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)


def default_base() -> str:
    """The official image of this process's Python, in its smaller form."""
    return f"python:{_running()}-slim"


class ImagingJourney:
    """Writes what an image is built from, has it built, and tries it."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def engine(self, name: str = "") -> ImageEngine | None:
        """The engine of that name, or the first that is installed; None: there is none.

        Raises:
            EnvironmentUndecided: the one that was named is not installed.
        """
        return self._tools().find_engine(name)

    def write(self, what: str, order: ImageOrder, folder: Path | None = None) -> ImageContext:
        """Write the folder that the image of one endpoint is built from.

        Equal versions, packages and orders give equal files.

        Args:
            what: an endpoint of the project (what stands behind it now), or ``name``, ``name/3`` or ``name@alias``.
            order: how it is to be built.
            folder: ``build/NAME`` unless given. What was written there before is replaced.

        Raises:
            NotFound: there is no such endpoint, model or version.
            ModelLoadFailed: this process cannot load the version, so that an image of its packages could not either.
            EnvironmentFailed: a package that it needs is not installed here.
            Conflict: the folder holds something else.
        """
        endpoint, version = self._what(what)
        order = self._checked(order, endpoint, version)
        digest, hint = version.stored()
        model_folder = self._parts.shelf.fetch(digest)
        choice = choose(self._parts.shelf.runtimes, model_folder, hint)
        if choice.runtime is None:
            raise not_loadable(choice, self._parts.shelf.runtimes)
        notes: list[str] = []
        model = self._releases.load(version)
        try:
            inputs, outputs = _answers(model, model_folder, endpoint, notes)
        finally:
            model.close()
        place = _fresh(folder or Path("build") / endpoint.name)
        files = _copy(model_folder, place / _PLACE / MODEL)
        self._copy_contract(endpoint, place)
        baked = Baked(
            endpoint=endpoint,
            model=version.model,
            version=version.version,
            digest=digest,
            flavor=choice.runtime.flavor,
            files=files,
            views=tuple(
                each for each in self._parts.settings.feature_views if each.name in endpoint.features
            ),
            inputs=inputs,
            outputs=outputs,
        )
        (place / _PLACE / FILE).write_bytes(encode_baked(baked))
        if baked.views:
            names = ", ".join(each.name for each in baked.views)
            notes.append(
                f"it looks up {names}: mount the folder 'features' of the state at {recipe.STATE}/features"
            )
        return self._finish(place, baked, order, notes)

    def build(self, context: ImageContext, engine: ImageEngine, say: Callable[[str], None]) -> BuiltImage:
        """Have an engine build the image; ``say`` is told each line of it.

        Raises:
            EnvironmentFailed: it does not build.
        """
        return engine.build(context, say)

    def check(self, image: str, engine: ImageEngine) -> CheckedImage:
        """Start a container with no network, no rights and read-only files, ask it, compare, and end it.

        Raises:
            EnvironmentFailed: it does not start.
            ModelLoadFailed: it is not ready, answers otherwise than the model did here, or does not end by itself.
        """
        container = engine.start(image)
        asked = None
        try:
            asked = engine.ask(container, [*recipe.CHECK, "try"])
        finally:
            ended = engine.stop(container, _GRACE_S)
        said = (asked.out + asked.err).strip().splitlines()
        if asked.code:
            last = (ended.err or ended.out).strip()[-1_500:]
            why = "\n".join([*said[-5:], *([last] if last else [])])
            raise ModelLoadFailed(f"a container of {image} does not answer as it should", why=why)
        if ended.code:
            raise ModelLoadFailed(
                f"a container of {image} did not end by itself",
                why=f"it ended with {ended.code} after SIGTERM",
            )
        found = msgspec.json.decode(said[-1])
        return CheckedImage(**found, exit_code=ended.code)

    # ------------------------------------------------------------------ what is asked for

    def _tools(self) -> ImageTools:
        tools = self._parts.images
        if tools is None:
            raise EnvironmentUndecided("this platform was opened without what images are made with")
        return tools

    def _what(self, what: str) -> tuple[EndpointSettings, ModelVersion]:
        known = self._parts.settings.endpoint(what)
        if known is None:
            version = named_version(self._parts, self._releases, what)
            return EndpointSettings(name=parse_model_ref(what)[0], model=version.ref, keyed=False), version
        champion = self._releases.status(what).champion
        version = champion or self._releases.version(known.model)
        # What decides over versions has no say in an image: it holds one.
        return replace(known, model=version.ref, rollout=None, retrain=None), version

    def _checked(self, order: ImageOrder, endpoint: EndpointSettings, version: ModelVersion) -> ImageOrder:
        tag = order.tag or f"{re.sub(r'[^a-z0-9]+', '-', endpoint.name.lower()).strip('-')}:{version.version}"
        if not _TAG.fullmatch(tag):
            raise UsageError(
                f"{tag!r} cannot be the name of an image",
                where="--tag",
                next_command=f"mlwright build image {endpoint.name} --tag my-model:{version.version}",
            )
        if order.packages not in (INSTALLED, INDEX):
            raise UsageError(f"packages come from {INDEX!r} or are those {INSTALLED!r}", where="--packages")
        if not order.base or any(each.isspace() or each in "$#\\" for each in order.base):
            raise UsageError(f"{order.base!r} cannot be the name of an image", where="--base")
        faults = []
        if order.packages == INSTALLED:
            own = self._tools().platform
            if not sys.platform.startswith("linux"):
                faults.append("those of this system do not run on Linux")
            elif order.platform not in ("", own):
                faults.append(f"those installed here are for {own}")
            if _python_of(order.base) != _running():
                faults.append(f"those installed here are for Python {_running()}")
        if faults:
            raise UsageError(
                "the packages that are installed here would not run in that image",
                where=order.base,
                why="; ".join(faults),
                next_command=f"mlwright build image {endpoint.name} --packages index",
            )
        return replace(order, tag=tag)

    # ------------------------------------------------------------------ what is written

    def _copy_contract(self, endpoint: EndpointSettings, place: Path) -> None:
        contract = endpoint.serving.edge.contract
        if contract is None:
            return
        root = self._parts.settings.root.resolve()
        source = (root / contract).resolve()
        if not source.is_relative_to(root):
            raise UsageError(
                "the contract lies outside the project, and an image holds what is inside", where=contract
            )
        target = place / _PLACE / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def _finish(self, place: Path, baked: Baked, order: ImageOrder, notes: list[str]) -> ImageContext:
        """Packages, Dockerfile and .dockerignore around an endpoint that was written."""
        packages, python = self._tools().packages, _python_of(order.base)
        wanted = survey(place / _PLACE / MODEL).requirements
        roots = needs.roots(baked.flavor, wanted, baked.endpoint, packages.names())
        pins = packages.pins(roots, python)
        wheels = place / _WHEELS
        own = packages.wheel("mlwright", wheels)
        lines, hashed = self._lines(pins, order, python, wheels)
        lines += f"./{_WHEELS}/{own.name}{f' --hash=sha256:{digest_of(own)}' if hashed else ''}\n"
        (place / "requirements.txt").write_text(lines, encoding="utf-8")
        libraries = needs.libraries([each.name for each in pins])
        offline = order.packages == INSTALLED and not libraries
        if not hashed:
            notes.append(
                "requirements.txt has no hashes: install mlwright[prove] for uv, or use --packages installed"
            )
        text = recipe.dockerfile(
            recipe.Recipe(
                base=order.base,
                hashed=hashed,
                offline=order.packages == INSTALLED,
                labels=_labels(baked, order),
                libraries=libraries,
            )
        )
        (place / "Dockerfile").write_text(text, encoding="utf-8")
        (place / ".dockerignore").write_text(recipe.IGNORED, encoding="utf-8")
        if "@sha256:" not in order.base:
            notes.append(f"the base may change under its tag: --base {order.base}@sha256:… keeps it")
        return ImageContext(
            folder=place,
            endpoint=baked.endpoint.name,
            ref=baked.ref,
            tag=order.tag,
            base=order.base,
            platform=order.platform,
            pins=tuple(map(str, pins)),
            hashed=hashed,
            offline=offline,
            bytes=sum(each.stat().st_size for each in place.rglob("*") if each.is_file()),
            notes=tuple(notes),
        )

    def _lines(self, pins: tuple[Pin, ...], order: ImageOrder, python: str, wheels: Path) -> tuple[str, bool]:
        """The requirements file, and whether it has hashes."""
        packages = self._tools().packages
        if order.packages == INSTALLED:
            lines = []
            for each in pins:
                wheel = packages.wheel(each.name, wheels)
                lines.append(f"{each} --hash=sha256:{digest_of(wheel)}\n")
            return "".join(lines), True
        locked = packages.lock(pins, python, order.platform)
        return (locked, True) if locked else ("".join(f"{each}\n" for each in pins), False)


def _answers(
    model: LoadedModel, folder: Path, endpoint: EndpointSettings, notes: list[str]
) -> tuple[Mapping[str, list[object]], Mapping[str, list[object]]]:
    """A few rows and what the model answers to them; no answers where a container could not be asked the same."""
    signature: Signature = model.signature
    example = example_of(folder, signature)
    if example is None:
        notes.append("the model has no input example: what a container answers cannot be compared")
        return {}, {}
    inputs = {name: values[:_MOST_ROWS] for name, values in example.items()}
    if endpoint.features:
        notes.append("what is looked up is not in the image: answers are asked for, and not compared")
        return inputs, {}
    answers = model.infer(batch_of(signature.inputs, inputs))
    return inputs, {name: np.asarray(values).tolist() for name, values in answers.items()}


def _fresh(place: Path) -> Path:
    """An empty folder; what was written there before is gone."""
    if place.exists():
        if not (place / _MARK).is_file() and (not place.is_dir() or any(place.iterdir())):
            raise Conflict(
                "there is something else at this place",
                where=str(place),
                next_command="mlwright build image … --output ANOTHER_FOLDER",
            )
        shutil.rmtree(place)
    try:
        place.mkdir(parents=True)
        (place / _MARK).write_text(
            "written by mlwright build image; replaced by the next\n", encoding="utf-8"
        )
    except OSError as error:
        raise StorageError("the folder cannot be written", where=str(place), why=error.strerror) from error
    return place


def _copy(source: Path, target: Path) -> dict[str, str]:
    """Copy a folder; returns the SHA-256 of its files by path."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    files = sorted(each for each in target.rglob("*") if each.is_file())
    return {each.relative_to(target).as_posix(): digest_of(each) for each in files}


def _labels(baked: Baked, order: ImageOrder) -> dict[str, str]:
    name, _, digest = order.base.partition("@")
    title = "org.opencontainers.image"
    labels = {
        f"{title}.title": baked.endpoint.name,
        f"{title}.description": f"{baked.ref} behind HTTP, served by mlwright",
        f"{title}.version": str(baked.version),
        f"{title}.revision": baked.digest,
        f"{title}.base.name": name,
        "mlwright.model": baked.ref,
        "mlwright.endpoint": sha256(encode_baked(baked)).hexdigest(),
        "mlwright.version": __version__,
    }
    return labels | ({f"{title}.base.digest": digest} if digest else {})


def _python_of(base: str) -> str:
    """The minor version of a base image's Python; that of this process where its name does not say."""
    found = _PYTHON.search(base)
    return found[1] if found else _running()


def _running() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
