"""Artifacts by path, and what of the store nobody refers to any more."""

from dataclasses import dataclass
from datetime import datetime

from mlwright.model.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One file at a path. ``size`` is in bytes."""

    path: str
    size: int
    digest: Digest
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEntry:
    """One name in a folder: a file with its size in bytes, or a folder, which has none."""

    path: str
    is_folder: bool
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """Bytes in the artifact store: how many, and when they were last stored."""

    digest: Digest
    size: int
    stored: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection removed, or would remove. ``size`` is in bytes."""

    blobs: int
    size: int
    kept: int
    """Old blobs that something still refers to."""
    unfinished: int
    """Files that killed writers and abandoned uploads had left."""
    dry: bool
