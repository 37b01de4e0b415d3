"""Does somebody hear of the bill before its end?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import INSTANCES, of_types
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_BUDGETS = (
    "aws_budgets_budget",
    "AWS::Budgets::Budget",
    "google_billing_budget",
    "azurerm_consumption_budget_subscription",
    "azurerm_consumption_budget_resource_group",
    "aws_ce_anomaly_monitor",
)


def look(repository: Repository) -> Answer:
    """Look for a budget resource where there is infrastructure as code."""
    budgets = of_types(repository, _BUDGETS)
    if budgets:
        return yes(f"{budgets[0].type} {budgets[0].name}", *(each.at for each in budgets))
    if not of_types(repository, INSTANCES):
        return no_question("no cloud resource that costs money here")
    return no("no budget among the resources")


PROBE = Probe(
    id="cost.budget",
    title="a budget alerts before the money is gone",
    why="A forgotten GPU costs more in a month than the model earns in a year.",
    remedy="add a budget with an alert at 80 % to the owner's address",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    elsewhere=True,
    source="AWS Machine Learning Lens MLCOST-20",
)
