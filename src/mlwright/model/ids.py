"""Names and ids as types of their own, so that one cannot be passed where another is meant."""

from typing import NewType

RunId = NewType("RunId", str)
ModelName = NewType("ModelName", str)
EndpointName = NewType("EndpointName", str)
DatasetName = NewType("DatasetName", str)
Digest = NewType("Digest", str)
"""A content digest: ``blake3:`` and 64 hexadecimal digits."""
PredictionId = NewType("PredictionId", str)
RolloutId = NewType("RolloutId", str)
AlertId = NewType("AlertId", str)
