"""Turning what steps take and return into digests and bytes, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import polars as pl
from blake3 import blake3

from mlwright.errors import ModelError, NotFound
from mlwright.model.fitted import Fitted
from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore
from mlwright.ports.runtimes import LoadedModel, ModelRuntime

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShelf:
    """Saves fitted models as folders in the artifact store, and loads them again."""

    artifacts: ArtifactStore
    runtimes: tuple[ModelRuntime, ...]
    cache: Path

    def put(self, fitted: Fitted, example: pl.DataFrame) -> tuple[Digest, str]:
        """Save a model; returns the digest of its folder and its flavor.

        Args:
            fitted: the model.
            example: a few rows with its inputs.

        Raises:
            ModelError: no runtime takes this kind of model.
        """
        runtime = next((each for each in self.runtimes if each.accepts(fitted.model)), None)
        if runtime is None:
            raise ModelError(
                f"no runtime can save a {type(fitted.model).__module__}.{type(fitted.model).__qualname__}",
                why=f"installed runtimes: {', '.join(each.flavor for each in self.runtimes)}",
                next_command="mlwright doctor",
            )
        rows = example.select(fitted.signature.input_names).head(5)
        with TemporaryDirectory(prefix="mlwright-model-") as folder:
            runtime.save(
                fitted.model,
                Path(folder),
                signature=fitted.signature,
                example=rows.to_dict(as_series=False),
                categories=fitted.categories,
            )
            return self.artifacts.put_folder(Path(folder)), runtime.flavor

    def load(self, digest: Digest, flavor: str) -> LoadedModel:
        """Load a saved model, its bytes verified.

        Raises:
            ModelLoadFailed: the folder does not load; the message says why.
            ArtifactCorrupt: the stored bytes are not those that were saved.
        """
        runtime = next((each for each in self.runtimes if each.flavor == flavor), None)
        if runtime is None:
            raise NotFound.named(
                "model runtime", flavor, [each.flavor for each in self.runtimes], "mlwright doctor"
            )
        return runtime.load(self.fetch(digest))

    def fetch(self, digest: Digest) -> Path:
        """The folder of a saved model, its bytes verified.

        Raises:
            ArtifactMissing: it is not in the store.
            ArtifactCorrupt: the stored bytes are not those that were saved.
        """
        return self.artifacts.get_folder(digest, self.cache / digest.replace(":", "-"))


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
