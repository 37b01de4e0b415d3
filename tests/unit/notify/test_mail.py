"""E-mail over real sockets: encryption, passwords, addresses, threads."""

import ssl
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.notify.receivers import Smtp, running

from mlwright.adapters.notify.mail import MailNotifier
from mlwright.errors import UsageError
from mlwright.model.alerting import ChannelTrouble
from mlwright.model.monitoring import AlertState
from mlwright.testing.conformance.notifiers import ALERT, notice

PASSWORD = "hunter2:with:colons"
TO = ("a@example.org", "b@example.org")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own maker, for localhost."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    return context


def mailer(server: Smtp, *, scheme: str = "smtp", host: str = "localhost", **named: object) -> MailNotifier:
    return MailNotifier(f"{scheme}://{host}:{server.port}", to=TO, sender="ml <ml@example.org>", **named)


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "smtps"])
def test_it_is_encrypted_and_signed_in(certificate, tls, at_once) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    scheme, wrong = "smtps" if at_once else "smtp", PASSWORD[::-1]
    with running(lambda: Smtp(tls=tls, at_once=at_once, password=PASSWORD)) as server:
        said = mailer(server, scheme=scheme, key=f"watch:{PASSWORD}", context=trusted).send(notice())
        assert said == "taken for 2 of 2 addresses"
        assert (server.encrypted, server.to) == ([True], [list(TO)])
        with pytest.raises(ChannelTrouble, match=r"answered 535 \(AuthenticationError\)") as caught:
            mailer(server, scheme=scheme, key=f"watch:{wrong}", context=trusted).send(notice())
        assert caught.value.refused
        assert wrong not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(ChannelTrouble, match="SSLCertVerificationError") as untrusted:
            mailer(server, scheme=scheme, key=f"watch:{PASSWORD}").send(notice())
        assert untrusted.value.refused
        assert len(server.taken) == 1


def test_a_password_is_not_sent_in_the_clear_to_another_machine(monkeypatch) -> None:
    with running(lambda: Smtp(password=PASSWORD)) as server:
        monkeypatch.setattr("mlwright.adapters.notify.mail._LOCAL", frozenset())
        with pytest.raises(ChannelTrouble, match="offers no encryption") as caught:
            mailer(server, key=f"watch:{PASSWORD}").send(notice())
        assert caught.value.refused
        assert server.taken == []


def test_what_one_address_refuses_the_others_get() -> None:
    with running(Smtp) as server:
        server.refused = {"b@example.org": "550 5.1.1 no such user"}
        assert mailer(server).send(notice()) == "taken for 1 of 2 addresses (refused with 550)"
        server.refused = dict.fromkeys(TO, "452 4.2.2 mailbox full")
        with pytest.raises(ChannelTrouble, match=r"refused every address \(452\)") as caught:
            mailer(server).send(notice())
        assert not caught.value.refused
        server.greeting = "421 not now"
        with pytest.raises(ChannelTrouble, match="421") as later:
            mailer(server).send(notice())
        assert not later.value.refused


def test_messages_about_one_group_are_a_thread_and_nothing_breaks_out_of_its_place() -> None:
    nasty = replace(
        ALERT, rule="auc\r\nBcc: all@example.org", summary="<script>1</script>", next_command="a & b"
    )
    over = replace(nasty, state=AlertState.RESOLVED, resolved=ALERT.fired)
    with running(Smtp) as server:
        for sent in (notice(nasty), notice(nasty), notice(over, key="later")):
            mailer(server).send(sent)
    first, again, last = server.taken
    assert first["Message-ID"] == again["Message-ID"] != last["Message-ID"]
    assert first["References"] == last["References"] == last["In-Reply-To"]
    assert first["Subject"].startswith("[PAGE · FIRING] delay: auc Bcc: all@example.org: <script>")
    assert first["Bcc"] is None
    assert [each["To"] for each in server.taken] == ["a@example.org, b@example.org"] * 3
    page = first.get_body(("html",)).get_content()
    assert "<script>" not in page
    assert "a &amp; b" in page
    assert f'<a href="{ALERT.runbook.replace("&", "&amp;")}">' in page


@pytest.mark.parametrize(
    ("url", "to"),
    [
        ("http://mail.example.org", TO),
        ("smtp://", TO),
        ("smtp://mail:notaport", TO),
        ("smtp://mail", ("nobody",)),
        ("smtp://mail", ("a@example.org\nBcc: b@example.org",)),
    ],
)
def test_other_addresses_are_refused_at_once(url, to) -> None:
    with pytest.raises(UsageError):
        MailNotifier(url, to=to, sender="ml@example.org")
