"""Which machines a webhook may reach: public ones, and those that whoever runs the server named."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mlwright.errors import UsageError

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Clouds answer with credentials here; some of these would count as public or as a private network.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)


def split_url(url: str, *, allowed: frozenset[str]) -> SplitResult:
    """Take the address of a receiver apart.

    Args:
        url: ``https://…``; ``http://`` only where its host is one of those allowed.
        allowed: names or addresses of hosts that may be called though they are not public.

    Raises:
        UsageError: it is of another kind, names no host, or holds a password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as fault:
        raise UsageError(f"the webhook's URL is not one: {fault}") from None
    if any(letter.isspace() or ord(letter) < 32 for letter in url) or "\\" in parts.netloc:
        raise UsageError("the webhook's URL holds a space, a control character or a backslash")
    if parts.scheme not in ("https", "http") or not host:
        raise UsageError(
            f"Invalid webhook URL scheme: {parts.scheme!r}. A webhook's URL starts with https:// and names a host"
        )
    if parts.username or parts.password:
        raise UsageError("a webhook's URL must not hold a password", why="it is shown to every client")
    if parts.scheme == "http" and host.lower() not in allowed:
        raise UsageError(
            "Invalid webhook URL scheme: 'http'. What is sent over http can be read on the way",
            next_command=f"write https://, or start the server with MLWRIGHT_WEBHOOK_HOSTS={host}",
        )
    if (":" in host or host.replace(".", "").isdigit()) and _address(host) is None:
        raise UsageError(f"{host!r} is not the usual form of an IP address")
    return parts


def check_address(host: str, address: str, *, allowed: frozenset[str]) -> None:
    """Refuse an address that a host's name leads to.

    Args:
        host: the name as the URL has it.
        address: where it leads.
        allowed: names or addresses of hosts that may be called though they are not public.

    Raises:
        UsageError: it is not public and not allowed, or hands out credentials of a cloud's machine.
    """
    found = _address(address)
    if found is None:
        raise UsageError(f"webhook host {host!r} leads to {address!r}, which is no address")
    if found.is_link_local or found in _METADATA or found.is_multicast or found.is_unspecified:
        raise UsageError(
            f"Webhook URL must not resolve to a non-public IP address. {host!r} resolves to {address}.",
            why="machines of clouds ask for their credentials there",
        )
    if found.is_global or not allowed.isdisjoint((host.lower(), address, str(found))):
        return
    raise UsageError(
        f"Webhook URL must not resolve to a non-public IP address. {host!r} resolves to {address}.",
        next_command=f"start the server with MLWRIGHT_WEBHOOK_HOSTS={host} if that machine is yours",
    )


def parse_hosts(text: str) -> frozenset[str]:
    """Hosts between commas, in small letters."""
    return frozenset(each.strip().lower() for each in text.split(",") if each.strip())


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, or the IPv4 one that an IPv6 one stands for."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found
