"""Is a port of administration open to the world?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import CloudResource, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import of_types, text
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_GROUPS = (
    "aws_security_group",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
)
_WORLD = ("0.0.0.0/0", "::/0")
_INNER = {22: "ssh", 3306: "MySQL", 3389: "remote desktop", 5000: "MLflow", 5432: "PostgreSQL", 6379: "Redis"}
_INNER |= {8888: "Jupyter", 9200: "Elasticsearch", 27017: "MongoDB"}


def look(repository: Repository) -> Answer:
    """Read the incoming rules of security groups."""
    groups = of_types(repository, _GROUPS)
    if not groups:
        return no_question("no security group as code here")
    faults = [(each, said) for each in groups if (said := next(_open(each), ""))]
    if faults:
        first, said = faults[0]
        return no(f"{first.type} {first.name}: {said}", *(each.at for each, _ in faults), faults=len(faults))
    return yes(
        f"{len(groups)} security groups, no inner port is open to the world", *(each.at for each in groups)
    )


def _open(group: CloudResource) -> Iterator[str]:
    for rule in _rules(group):
        sources = [
            rule.get(key) for key in ("cidr_blocks", "CidrIp", "cidr_ipv4", "ipv6_cidr_blocks", "CidrIpv6")
        ]
        if not any(world in str(each) for each in sources for world in _WORLD):
            continue
        low, high = (_port(rule, keys) for keys in (("from_port", "FromPort"), ("to_port", "ToPort")))
        protocol = text(rule.get("protocol", rule.get("IpProtocol", rule.get("ip_protocol", "tcp"))))
        if protocol == "-1" or (low == 0 and high == 65535):
            yield "every port is open to the world"
        for port, name in _INNER.items():
            if low is not None and high is not None and low <= port <= high:
                yield f"port {port} ({name}) is open to the world"


def _rules(group: CloudResource) -> Iterator[dict[str, Plain]]:
    properties = group.properties if isinstance(group.properties, dict) else {}
    if text(properties.get("type", "ingress")) == "ingress":
        yield properties
    for key in ("ingress", "SecurityGroupIngress"):
        rules = properties.get(key)
        yield from (
            rule for rule in (rules if isinstance(rules, list) else [rules]) if isinstance(rule, dict)
        )


def _port(rule: dict[str, Plain], keys: tuple[str, ...]) -> int | None:
    given = next((text(rule[key]) for key in keys if key in rule), "")
    return int(given) if given.isdigit() else None


PROBE = Probe(
    id="cloud.network_closed",
    title="no port of administration is open to the world",
    why="Open notebook, tracking and database ports are found and used by bots within a day.",
    remedy="restrict the rule to the VPN's or load balancer's addresses",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CIS AWS Foundations 5.2",
)
