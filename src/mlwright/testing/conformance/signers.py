"""The exam of :class:`mlwright.ports.signers.FolderSigner`.

::

    class TestMySigner(SignerConformance):
        @pytest.fixture
        def signer(self) -> FolderSigner: ...

        @pytest.fixture
        def keys(self) -> Keys: ...       # a private key and its public one, and the public one of somebody else
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mlwright.errors import ModelUntrusted, UsageError
from mlwright.ports.signers import FolderSigner
from mlwright.testing.conformance.gaps import Conformance


class Keys(NamedTuple):
    """Files of keys."""

    private: Path
    public: Path
    other: Path


def _change(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors: {b: {}}")


def _add(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "evil.py").write_text("import os")


def _add_hidden(folder: Path) -> None:
    (folder / ".gitattributes").write_text("* evil")


def _remove(folder: Path) -> None:
    (folder / "data" / "model.bin").unlink()


def _move(folder: Path) -> None:
    (folder / "data" / "model.bin").rename(folder / "model.bin")


class SignerConformance(Conformance):
    """What every signer promises. Subclasses supply ``signer`` and ``keys``."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A model of two files."""
        folder = tmp_path / "model"
        (folder / "data").mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors: {a: {}}")
        (folder / "data" / "model.bin").write_bytes(bytes(range(256)))
        return folder

    def test_what_was_signed_verifies(self, signer: FolderSigner, keys: Keys, folder: Path) -> None:
        """Signing writes nothing into the folder."""
        before = sorted(folder.rglob("*"))
        signature = signer.sign(folder, keys.private)
        assert sorted(folder.rglob("*")) == before
        signer.verify(folder, signature, keys.public)

    def test_a_copy_elsewhere_verifies(
        self, signer: FolderSigner, keys: Keys, folder: Path, tmp_path: Path
    ) -> None:
        """The folder's own name is no part of it."""
        signature = signer.sign(folder, keys.private)
        signer.verify(folder.rename(tmp_path / "elsewhere"), signature, keys.public)

    @pytest.mark.parametrize("tamper", [_change, _add, _add_hidden, _remove, _move])
    def test_any_change_is_seen(
        self, signer: FolderSigner, keys: Keys, folder: Path, tamper: Callable[[Path], None]
    ) -> None:
        """Content, additions, removals, names."""
        signature = signer.sign(folder, keys.private)
        tamper(folder)
        with pytest.raises(ModelUntrusted):
            signer.verify(folder, signature, keys.public)

    def test_another_key_does_not_verify(self, signer: FolderSigner, keys: Keys, folder: Path) -> None:
        """Whoever signed is known."""
        signature = signer.sign(folder, keys.private)
        with pytest.raises(ModelUntrusted):
            signer.verify(folder, signature, keys.other)

    @pytest.mark.parametrize("signature", ["", "{}", "not a signature", '{"mediaType": "x"}', "\0" * 100])
    def test_nonsense_does_not_verify(
        self, signer: FolderSigner, keys: Keys, folder: Path, signature: str
    ) -> None:
        """A hostile bundle is an untrusted model, and no crash."""
        with pytest.raises(ModelUntrusted):
            signer.verify(folder, signature, keys.public)

    def test_a_key_that_is_not_there_is_said(
        self, signer: FolderSigner, folder: Path, tmp_path: Path
    ) -> None:
        """Its path is named, not its content."""
        with pytest.raises(UsageError) as caught:
            signer.sign(folder, tmp_path / "absent.pem")
        assert "absent.pem" in str(caught.value)
