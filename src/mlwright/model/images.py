"""Images of one endpoint: what stands in them, how they are to be built, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlwright.model.features import FeatureView
from mlwright.model.settings import EndpointSettings

INSTALLED = "installed"
"""The packages as they are installed here, as wheels beside the Dockerfile: nothing is fetched to build it."""
INDEX = "index"
"""The packages from the index that the build is told of, in the versions that are installed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baked:
    """What an image serves: its file ``endpoint.json``. ``files`` are the SHA-256 of the model's files by path.

    ``inputs`` are a few rows by column and ``outputs`` what the model answered to them where the image was made;
    without outputs its check only asks whether there is an answer.
    """

    endpoint: EndpointSettings
    model: str
    version: int
    digest: str
    flavor: str
    files: Mapping[str, str]
    views: tuple[FeatureView, ...] = ()
    inputs: Mapping[str, Sequence[object]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[object]] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """``name/version``."""
        return f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package in one version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """How an image is to be built. ``base`` has a Python, with pip in it; ``platform`` is ``linux/amd64`` and the like,
    empty: that of the engine. ``packages`` is :data:`INSTALLED` or :data:`INDEX`.
    """

    base: str
    packages: str = INDEX
    platform: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContext:
    """A folder that an engine builds an image from. ``bytes`` are all its files together.

    ``hashed`` says whether the build compares every package with a hash; ``offline`` whether it needs no network.
    """

    folder: Path
    endpoint: str
    ref: str
    tag: str
    base: str
    platform: str
    pins: tuple[str, ...]
    hashed: bool
    offline: bool
    bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image in an engine. ``own_bytes`` are what it adds to its base; None: the engine does not know the base."""

    tag: str
    id: str
    engine: str
    bytes: int
    own_bytes: int | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedImage:
    """What a container of the image did: ready after so long, so many rows asked and compared, and its exit code."""

    ready_s: float
    rows: int
    compared: int
    greatest_difference: float
    exit_code: int
