"""Endpoints, their variants, and how one entity finds its variant."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from mlwright.model.ids import EndpointName, ModelName

CHAMPION: Final = "champion"
"""The variant that answers unless a rollout says otherwise, and the alias that names its version."""
CHALLENGER: Final = "challenger"
_BUCKETS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A model version behind an endpoint.

    ``share`` is the part of entities in [0, 1] that this variant answers. ``shadow`` variants score every
    request as well, are logged, and answer nobody by it: a canary is a shadow with a share above zero.
    """

    name: str
    model: ModelName
    version: int
    share: float
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What stands behind an endpoint at one generation. Without variants the endpoint is unloaded."""

    endpoint: EndpointName
    generation: int
    salt: str
    variants: tuple[Variant, ...]

    def __post_init__(self) -> None:
        total = sum(variant.share for variant in self.variants)
        if self.variants and abs(total - 1.0) > 1e-9:
            raise ValueError(f"the shares of {self.endpoint} add up to {total:g}, not 1")

    def variant_of(self, entity_key: str) -> Variant:
        """The variant that answers this entity: the same one as long as salt and shares stay.

        Raises:
            IndexError: the endpoint is out of service.
        """
        bucket = entity_bucket(self.salt, entity_key)
        reached = 0.0
        for variant in self.variants:
            reached += variant.share * _BUCKETS
            if bucket < reached - 1e-6:
                return variant
        return self.variants[0]


def entity_bucket(salt: str, entity_key: str) -> int:
    """A number in [0, 10000), uniform over entities and independent between salts."""
    digest = blake2b(entity_key.encode(), key=salt.encode()[:64], digest_size=8).digest()
    return int.from_bytes(digest, "big") % _BUCKETS
