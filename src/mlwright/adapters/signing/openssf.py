"""OpenSSF Model Signing with elliptic-curve keys: https://github.com/sigstore/model-transparency.

A signature that ``model_signing sign key`` made of the same files verifies here, and the other way round.
"""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlwright.errors import MissingExtra, ModelUntrusted, UsageError


class OpenssfSigner:
    """See ``FolderSigner``. Nothing is asked of the network."""

    def sign(self, folder: Path, key: Path) -> str:
        """Sign with a private key in PEM form; see ``FolderSigner.sign``."""
        signing, hashing = _library("signing"), _library("hashing")
        try:
            configured = signing.Config().use_elliptic_key_signer(private_key=key)
        except Exception as error:  # the library below raises whatever a key that is none makes of it
            raise _no_key(key, "private", error) from error
        configured.set_hashing_config(_all_files(hashing, folder))
        with TemporaryDirectory(prefix="mlwright-sign-") as place:
            file = Path(place) / "model.sig"
            configured.sign(folder, file)
            return file.read_text("utf-8")

    def verify(self, folder: Path, signature: str, key: Path) -> None:
        """Verify with a public key in PEM form; see ``FolderSigner.verify``."""
        verifying, hashing = _library("verifying"), _library("hashing")
        try:
            configured = verifying.Config().use_elliptic_key_verifier(public_key=key)
        except Exception as error:  # see above
            raise _no_key(key, "public", error) from error
        configured.set_hashing_config(_all_files(hashing, folder))
        with TemporaryDirectory(prefix="mlwright-sign-") as place:
            file = Path(place) / "model.sig"
            file.write_text(signature, encoding="utf-8")
            try:
                configured.verify(folder, file)
            except Exception as error:  # a bundle that is none, or hostile, raises whatever its parsers raise
                raise ModelUntrusted(
                    "the signature does not fit the files and the key",
                    where=str(key),
                    why=" ".join(f"{type(error).__name__}: {error}".split())[:500],
                    next_command="mlwright models sign REF --key file:PATH",
                ) from error


def _all_files(hashing: Any, folder: Path) -> Any:
    """Every file counts, those of git too, which the library leaves out unless told."""
    return hashing.Config().use_file_serialization().set_ignored_paths(paths=[], ignore_git_paths=False)


def _library(name: str) -> Any:
    try:
        return import_module(f"model_signing.{name}")
    except ImportError as error:
        raise MissingExtra.needed("signing models", "sign") from error


def _no_key(key: Path, kind: str, error: Exception) -> UsageError:
    return UsageError(
        f"this is no {kind} key of an elliptic curve in PEM form",
        where=str(key),
        why=f"{type(error).__name__}: {error}"[:300],
        next_command=f"openssl ecparam -name prime256v1 -genkey -noout -out {key.name}",
    )
