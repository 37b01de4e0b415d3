"""Signing the files of a model. Open wire: the bundle of OpenSSF Model Signing (in-toto statement, DSSE envelope)."""

from pathlib import Path
from typing import Protocol


class FolderSigner(Protocol):
    """Signs a folder as a whole: every file below it, its path and its content."""

    def sign(self, folder: Path, key: Path) -> str:
        """The signature as text; it is kept beside the folder and not in it.

        Raises:
            UsageError: the key cannot be read, or is of another kind.
            MissingExtra: the library is not installed.
        """
        ...

    def verify(self, folder: Path, signature: str, key: Path) -> None:
        """See to it that the holder of the key signed exactly these files.

        Args:
            folder: the files.
            signature: what :meth:`sign` gave.
            key: the public key.

        Raises:
            ModelUntrusted: another key signed them, or they were changed; the error says which file.
            UsageError: the key cannot be read, or is of another kind.
            MissingExtra: the library is not installed.
        """
        ...
