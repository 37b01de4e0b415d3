from pathlib import Path

import pytest

from mlwright.adapters.signing.openssf import OpenssfSigner
from mlwright.testing.conformance.signers import Keys, SignerConformance
from mlwright.testing.fakes.signers import SealSigner


class TestSealSigner(SignerConformance):
    @pytest.fixture
    def signer(self) -> SealSigner:
        return SealSigner()

    @pytest.fixture
    def keys(self, tmp_path: Path) -> Keys:
        own, other = tmp_path / "own.key", tmp_path / "other.key"
        own.write_text("own")
        other.write_text("other")
        return Keys(private=own, public=own, other=other)


class TestOpenssfSigner(SignerConformance):
    @pytest.fixture
    def signer(self) -> OpenssfSigner:
        pytest.importorskip("model_signing", reason="install mlwright[sign]")
        return OpenssfSigner()

    @pytest.fixture
    def keys(self, tmp_path: Path) -> Keys:
        serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
        ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
        files = []
        for name in ("own", "other"):
            key = ec.generate_private_key(ec.SECP256R1())
            private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
            private.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
            public.write_bytes(
                key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
            files += [private, public]
        return Keys(private=files[0], public=files[1], other=files[3])
