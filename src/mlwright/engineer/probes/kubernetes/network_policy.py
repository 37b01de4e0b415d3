"""Is who may talk to whom said?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.workloads import LONG_RUNNING, cluster_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_KINDS = ("NetworkPolicy", "CiliumNetworkPolicy", "AuthorizationPolicy", "GlobalNetworkPolicy")


def look(repository: Repository) -> Answer:
    """Look for a policy object beside long-running workloads."""
    containers = cluster_containers(repository, *LONG_RUNNING)
    if not containers:
        return no_question("no long-running Kubernetes workload here")
    policies = repository.objects(*_KINDS)
    if policies:
        return yes(
            f"{len(policies)} policies: {policies[0].kind} {policies[0].name}",
            *(each.at for each in policies),
        )
    return no("no NetworkPolicy beside the workloads", containers[0].at)


PROBE = Probe(
    id="kubernetes.network_policy",
    title="a network policy says who may talk to the workloads",
    why="By default every pod of the cluster can call the model and its database.",
    remedy="add a NetworkPolicy that admits the gateway and the metrics scraper, and nothing else",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="NSA/CISA Kubernetes Hardening Guide, Network Separation",
)
