"""Alerts as e-mail, by the standard library: SMTP with STARTTLS or TLS, text and HTML.

The messages about one group are one thread.
"""

import html
import smtplib
import ssl
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import urlsplit

from mlwright.adapters.notify.payload import digest
from mlwright.adapters.notify.wording import (
    LONGEST,
    MOST_ALERTS,
    body,
    cut,
    evidence,
    facts,
    more,
    one_line,
    title,
    whole,
)
from mlwright.errors import UsageError
from mlwright.model.alerting import ChannelTrouble, Notice

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SUBJECT: Final = 200
_COLOURS: Final = {"page": "#b91c1c", "ticket": "#b45309", "info": "#1d4ed8"}


class MailNotifier:
    """Sends one message to all addresses.

    ``smtp://`` is encrypted by STARTTLS where the server offers it; a password goes to no server in the clear, but to
    this machine. ``smtps://`` is encrypted from the start. Certificates are checked.

    Args:
        url: ``smtp://HOST:PORT`` (587 without a port, 25 on this machine) or ``smtps://HOST:PORT`` (465).
        to: the addresses that it goes to.
        sender: the address that it comes from.
        key: ``user:password``, if the server wants one.
        name: the channel's name.
        timeout_s: for each wait on the server, in seconds.
        context: which certificates are trusted; those of the system without it.

    Raises:
        UsageError: the URL or an address is none.
    """

    resend: timedelta | None = None
    keeps = False

    def __init__(
        self,
        url: str,
        *,
        to: tuple[str, ...],
        sender: str,
        key: str | None = None,
        name: str = "email",
        timeout_s: float = 10.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._tls = _server(url)
        for address in (sender, *to):
            if "@" not in parseaddr(address)[1] or address != one_line(address):
                raise UsageError(f"{address!r} is not an e-mail address", next_command="mlwright doctor")
        self._to, self._sender = to, sender
        self._user, _, self._password = (key or "").partition(":")
        self._name = name
        self._timeout_s = timeout_s
        self._context = context

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Send the message; see ``Notifier.send``. One address that is refused does not keep the others from it."""
        message = mail_of(notice, to=self._to, sender=self._sender)
        where = f"mail server {self._host}"
        try:
            with self._connect() as server:
                refused = server.send_message(message)
        except smtplib.SMTPRecipientsRefused as fault:
            codes = {code for code, _ in fault.recipients.values()}
            raise ChannelTrouble(
                f"{where} refused every address ({_codes(codes)})", refused=min(codes) >= 500
            ) from None
        except smtplib.SMTPResponseException as fault:
            said = type(fault).__name__.removeprefix("SMTP")
            raise ChannelTrouble(
                f"{where} answered {fault.smtp_code} ({said})", refused=fault.smtp_code >= 500
            ) from None
        except ChannelTrouble:
            raise
        except (smtplib.SMTPException, OSError) as fault:
            untrusted = isinstance(fault, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError)
            raise ChannelTrouble(f"{where}: {type(fault).__name__}", refused=untrusted) from None
        told = len(self._to) - len(refused)
        return f"taken for {told} of {len(self._to)} addresses" + (
            f" (refused with {_codes({code for code, _ in refused.values()})})" if refused else ""
        )

    def _connect(self) -> smtplib.SMTP:
        context = self._context or ssl.create_default_context()
        server: smtplib.SMTP
        if self._tls:
            server = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        try:
            server.ehlo()
            encrypted = self._tls
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                encrypted = True
            if self._user:
                if not encrypted and self._host not in _LOCAL:
                    said = f"mail server {self._host} offers no encryption: the password is not sent to it"
                    raise ChannelTrouble(said, refused=True)
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def mail_of(notice: Notice, *, to: tuple[str, ...], sender: str) -> EmailMessage:
    """The message: text and HTML, in the thread of its group."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = title(notice, _SUBJECT)
    message["Date"] = format_datetime(notice.at)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    # The same message again has the same id, so that mailboxes show it once.
    message["Message-ID"] = f"<{_digest(notice.key)}@{domain}>"
    root = f"<{_digest('group ' + notice.group)}@{domain}>"
    message["In-Reply-To"] = root
    message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    message["X-Priority"] = "1" if notice.level.value == "page" else "3"
    message.set_content(whole(body(notice)) + "\n")
    message.add_alternative(_html(notice), subtype="html")
    return message


def _html(notice: Notice) -> str:
    blocks = []
    for alert in notice.alerts[:MOST_ALERTS]:
        rows = "".join(
            f'<tr><td style="color:#555;padding-right:1em;vertical-align:top">{_safe(name)}</td>'
            f"<td>{_linked(value)}</td></tr>"
            for name, value in (*facts(alert), *evidence(alert))
        )
        colour = _COLOURS[alert.level.value]
        blocks.append(
            f'<h3 style="margin:1em 0 .3em;color:{colour}">{_safe(alert.rule)} ({alert.level.value})</h3>'
            f"<p>{_safe(cut(alert.summary, LONGEST))}</p><table>{rows}</table>"
        )
    blocks += [f"<p>{_safe(each)}</p>" for each in more(notice)]
    head = f'<meta charset="utf-8"><title>{_safe(title(notice, _SUBJECT))}</title>'
    style = "font-family:sans-serif;font-size:14px"
    return f'<!doctype html><html><head>{head}</head><body style="{style}">{"".join(blocks)}</body></html>'


def _linked(text: str) -> str:
    if text.startswith(("https://", "http://")) and " " not in text:
        return f'<a href="{_safe(text)}">{_safe(text)}</a>'
    return _safe(text)


def _safe(text: str) -> str:
    return html.escape(whole(text))


def _digest(text: str) -> str:
    return digest(text)[:40]


def _codes(codes: set[int]) -> str:
    return ", ".join(map(str, sorted(codes)))


def _server(url: str) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("smtp", "smtps") or not host:
        raise UsageError(
            "an e-mail server is smtp://HOST:PORT or smtps://HOST:PORT", next_command="mlwright doctor"
        )
    tls = parts.scheme == "smtps"
    return host, port or (465 if tls else 25 if host in _LOCAL else 587), tls
