"""The versions behind an endpoint, as all protocols see them."""

from mlwright.errors import BadRequest, NotFound
from mlwright.stages.serving.core import EndpointCore


def versions_of(core: EndpointCore) -> list[str]:
    """Each version that stands behind it, once, the champion's first; none while no route is in force."""
    route = core.route
    return list(dict.fromkeys(str(each.version) for each in route.variants)) if route is not None else []


def require_standing(core: EndpointCore, version: str) -> None:
    """Refuse a version that does not stand behind the endpoint.

    Raises:
        NotFound: so it is.
    """
    live = versions_of(core)
    if version not in live:
        raise NotFound.named(f"version behind {core.spec.name!r}", version[:80], live)


def require_alone(core: EndpointCore, instead: str) -> None:
    """Refuse to name a version while others answer as well: in a rollout the route decides who does, not the client.

    Args:
        core: the endpoint.
        instead: what to do.

    Raises:
        BadRequest: others do.
    """
    live = versions_of(core)
    if len(live) > 1:
        raise BadRequest(
            f"endpoint {core.spec.name!r} is in a rollout, which decides what version answers",
            why=f"versions {', '.join(live)} stand behind it",
            next_command=instead,
        )
