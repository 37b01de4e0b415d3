"""Do workloads hold more rights at the cluster than they use?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for bindings to cluster-admin and roles that may do everything."""
    if not repository.kubernetes:
        return no_question("no Kubernetes objects here")
    wide = [
        (each, "binds cluster-admin")
        for each in repository.objects("ClusterRoleBinding", "RoleBinding")
        if each.document.get("roleRef", "name") == "cluster-admin"
    ]
    for each in repository.objects("ClusterRole", "Role"):
        rules = each.document.get("rules")
        for rule in rules if isinstance(rules, list) else ():
            if (
                isinstance(rule, dict)
                and "*" in (rule.get("verbs") or ())
                and "*" in (rule.get("resources") or ())
            ):
                wide.append((each, "may do everything to everything"))
                break
    if wide:
        first, said = wide[0]
        return no(f"{first.kind} {first.name} {said}", *[each.at for each, _ in wide][:SHOWN], wide=len(wide))
    return yes(
        f"{len(repository.kubernetes)} objects, none grants everything", objects=len(repository.kubernetes)
    )


PROBE = Probe(
    id="kubernetes.rights_narrow",
    title="no workload may do everything to the cluster",
    why="Whoever breaks into a pod has the rights of its service account.",
    remedy="grant the verbs and resources that are used, in one namespace",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="Kubernetes documentation, Role Based Access Control Good Practices",
)
