"""A signer whose private and public key are the same file: good enough to see who signs and verifies what."""

import hmac
from hashlib import sha256
from pathlib import Path

from mlwright.errors import ModelUntrusted, UsageError


class SealSigner:
    """Seals folders with the content of a key file."""

    def sign(self, folder: Path, key: Path) -> str:
        """Seal a folder; see ``FolderSigner.sign``."""
        try:
            secret = key.read_bytes()
        except OSError as error:
            raise UsageError("the key cannot be read", where=str(key)) from error
        seal = hmac.new(secret, digestmod=sha256)
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            seal.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
            seal.update(file.read_bytes())
        return seal.hexdigest()

    def verify(self, folder: Path, signature: str, key: Path) -> None:
        """Compare seals; see ``FolderSigner.verify``."""
        if not hmac.compare_digest(self.sign(folder, key), signature):
            raise ModelUntrusted("the seal does not fit the files and the key", where=str(key))
