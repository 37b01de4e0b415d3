"""Turning what steps take and return into digests and bytes, and back."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from io import BytesIO

import msgspec
import polars as pl
from blake3 import blake3

from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore

Plain = str | int | float | bool | date | datetime | timedelta | None


def frame_digest(frame: pl.DataFrame) -> Digest:
    """Digest of names, types and values of a frame, independent of how it is chunked."""
    buffer = BytesIO()
    frame.rechunk().write_ipc(buffer)
    return Digest("blake3:" + blake3(buffer.getbuffer(), max_threads=blake3.AUTO).hexdigest())


def key_of(step: str, code: Digest, arguments: Mapping[str, object], known: "KnownDigests") -> str | None:
    """The checkpoint key of one call, or None where an argument has no digest."""
    parts = [step, code]
    for name, value in sorted(arguments.items()):
        digest = known.of(value)
        if digest is None:
            return None
        parts.append(f"{name}={digest}")
    return blake3("\0".join(parts).encode()).hexdigest()


class KnownDigests:
    """Digests of values, each frame and model digested once as long as it lives."""

    def __init__(self) -> None:
        # The value is kept beside its digest: an id is reused once its object is gone.
        self._seen: dict[int, tuple[object, Digest]] = {}

    def remember(self, value: object, digest: Digest) -> None:
        """Note the digest of a value that came out of the artifact store."""
        self._seen[id(value)] = (value, digest)

    def of(self, value: object) -> Digest | None:
        """The digest of a frame, a remembered model, a plain value, or a list of them; None for anything else."""
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        if isinstance(value, pl.DataFrame):
            digest = frame_digest(value)
            self.remember(value, digest)
            return digest
        if isinstance(value, Plain):
            return Digest(f"{type(value).__name__}:{value!r}")
        if isinstance(value, list | tuple):
            parts = [self.of(each) for each in value]
            return None if None in parts else Digest(f"list:{parts!r}")
        return None


def store_result(value: object, artifacts: ArtifactStore) -> tuple[str, Digest] | None:
    """Keep a frame or a plain value; returns its kind and digest, or None for a value that cannot be kept."""
    if isinstance(value, pl.DataFrame):
        buffer = BytesIO()
        value.write_parquet(buffer)
        return "frame", artifacts.put_bytes(buffer.getvalue())
    if isinstance(value, str | int | float | bool | list | dict | None):
        try:
            return "plain", artifacts.put_bytes(msgspec.msgpack.encode(value))
        except TypeError:
            return None
    return None


def restore_result(kind: str, digest: Digest, artifacts: ArtifactStore) -> object:
    """Read back what :func:`store_result` kept."""
    data = artifacts.get_bytes(digest)
    return pl.read_parquet(BytesIO(data)) if kind == "frame" else msgspec.msgpack.decode(data)
