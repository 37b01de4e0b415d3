"""``endpoint.json``: what an image serves, written where it is made and read where it runs."""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from mlwright.errors import ArtifactCorrupt, Fault
from mlwright.model.images import Baked

FILE: Final = "endpoint.json"
MODEL: Final = "model"
_PIECE: Final = 1 << 20


def encode_baked(baked: Baked) -> bytes:
    """The file, with its keys in their order."""
    return (
        msgspec.json.format(msgspec.json.encode(baked, enc_hook=str, order="deterministic"), indent=2) + b"\n"
    )


def read_baked(place: Path) -> Baked:
    """Read the file of a folder, and verify the files of the model beside it.

    Raises:
        ArtifactCorrupt: a file is missing, is not what was put there, or cannot be read.
    """
    path = place / FILE
    try:
        baked = msgspec.json.decode(path.read_bytes(), type=Baked)
    except (OSError, msgspec.MsgspecError) as error:
        raise ArtifactCorrupt(
            "what this image serves cannot be read", where=str(path), why=str(error)
        ) from error
    faults = [
        Fault(where=f"{MODEL}/{name}", what=said)
        for name, wanted in baked.files.items()
        if (said := _wrong(place / MODEL / name, wanted))
    ]
    if faults:
        raise ArtifactCorrupt(
            "the files of the model are not those that the image was made of",
            where=str(place),
            faults=faults[:20],
        )
    return baked


def digest_of(file: Path) -> str:
    """SHA-256 of a file of any size, as hexadecimal digits."""
    hasher = sha256()
    with file.open("rb", buffering=0) as source:
        while piece := source.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest()


def _wrong(file: Path, wanted: str) -> str:
    try:
        return "" if digest_of(file) == wanted else "has other bytes"
    except OSError as error:
        return error.strerror or "cannot be read"
