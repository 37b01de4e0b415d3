"""What an endpoint asks besides its model: the rules of its contract, and the features that it looks up."""

from pathlib import Path

from mlwright.model.settings import EndpointSettings
from mlwright.ports.online_store import OnlineStore
from mlwright.stages.serving.values import ValueChecks


def value_checks(root: Path, endpoint: EndpointSettings) -> ValueChecks:
    """What may come in: the rules of the endpoint's contract, where it has one, and its policy."""
    edge = endpoint.serving.edge
    if not edge.contract:
        return ValueChecks((), edge)
    from mlwright.adapters.odcs import read_contract  # 0.3 s of data frames and schemas
    from mlwright.model.value_rules import value_rules

    return ValueChecks(value_rules(read_contract(root / edge.contract)), edge)


def online_store(state: Path, *endpoints: EndpointSettings) -> OnlineStore | None:
    """Where features are looked up; None where none of the endpoints has any."""
    if not any(endpoint.features for endpoint in endpoints):
        return None
    from mlwright.adapters.parquet.online import ParquetOnlineStore  # 0.3 s of data frames

    return ParquetOnlineStore(state / "features")
