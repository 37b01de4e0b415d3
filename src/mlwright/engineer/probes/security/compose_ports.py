"""Does a Compose file open a database to the network?"""

import re

from mlwright.engineer.facts.configuration import Container, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import compose_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_STORES = re.compile(
    r"(^|/)(postgres|mysql|mariadb|mongo|redis|valkey|elasticsearch|opensearch|minio|rabbitmq)"
)
_EVERYWHERE = re.compile(r"^(0\.0\.0\.0:)?(\$\{[^}]*\}|[\d-]+):[\d-]+(/(tcp|udp))?$")


def look(repository: Repository) -> Answer:
    """Look at the published ports of services that keep data."""
    stores = tuple(each for each in compose_containers(repository) if _STORES.search(str(each.image or "")))
    return each_must(
        stores, _fault, "{n} stores, none published to the network", "no Compose service that keeps data"
    )


def _fault(service: Container) -> str:
    ports = service.spec.get("ports")
    for port in ports if isinstance(ports, list) else ():
        if _published(port):
            return f"{service.image} is published on every address ({port if not isinstance(port, dict) else 'ports'})"
    return ""


def _published(port: Plain) -> bool:
    if isinstance(port, dict):
        return port.get("published") is not None and port.get("host_ip") in (None, "0.0.0.0")
    return bool(_EVERYWHERE.match(str(port)))


PROBE = Probe(
    id="security.compose_ports",
    title="stores of a Compose file are not published to the network",
    why="Docker opens published ports past the machine's firewall: the tracking database faces the internet.",
    remedy='drop ports, or bind them: "127.0.0.1:5432:5432"',
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Docker documentation, Packet filtering and firewalls",
)
