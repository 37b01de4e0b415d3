"""What runs, as facts. The values stand in ``model``: the port that reads a server of others gives them."""

from mlwright.model.running import EndpointFact, RolloutFact, RunFact, ServerFacts, VersionFact

__all__ = ["EndpointFact", "RolloutFact", "RunFact", "ServerFacts", "VersionFact"]
