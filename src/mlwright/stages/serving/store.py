"""The routes in the database. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.exc import IntegrityError

from mlwright.errors import Conflict
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.instants import from_micros, to_micros
from mlwright.stages.serving.tables import routes


def current_route(tx: Connection, endpoint: EndpointName) -> Route | None:
    """The route of the highest generation, or None where nothing was ever put behind the endpoint."""
    row = tx.execute(
        select(routes).where(routes.c.endpoint == endpoint).order_by(routes.c.generation.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _route(row)


def set_route(
    tx: Connection,
    endpoint: EndpointName,
    variants: Sequence[Variant],
    *,
    at: datetime,
    salt: str | None = None,
) -> Route:
    """Put variants behind an endpoint as its next generation.

    Args:
        tx: an open transaction.
        endpoint: the endpoint.
        variants: champion first; their shares add up to 1. None at all take the endpoint out of service.
        at: when the change was made.
        salt: what spreads entities over variants. None keeps the salt that stands, so that entities stay with
            their variant, or makes the first one from the endpoint's name.

    Raises:
        ValueError: the shares do not add up to 1.
        Conflict: another process wrote the same generation at the same time.
    """
    before = current_route(tx, endpoint)
    if salt is None:
        salt = before.salt if before else blake2b(endpoint.encode(), digest_size=8).hexdigest()
    generation = before.generation + 1 if before else 1
    route = Route(endpoint=endpoint, generation=generation, salt=salt, variants=tuple(variants))
    try:
        tx.execute(
            routes.insert().values(
                endpoint=endpoint,
                generation=generation,
                salt=salt,
                variants=[_row(variant) for variant in variants],
                at=to_micros(at),
            )
        )
    except IntegrityError as error:
        raise Conflict(
            f"the route of {endpoint!r} was changed at the same time",
            why=f"generation {generation} exists already",
            next_command=f"mlwright deploy {endpoint}",
        ) from error
    return route


def list_routes(tx: Connection) -> list[Route]:
    """The current route of each endpoint that has one, by name."""
    newest = (
        select(routes.c.endpoint, func.max(routes.c.generation).label("generation"))
        .group_by(routes.c.endpoint)
        .subquery()
    )
    rows = tx.execute(
        select(routes)
        .join(
            newest,
            (routes.c.endpoint == newest.c.endpoint) & (routes.c.generation == newest.c.generation),
        )
        .order_by(routes.c.endpoint)
    )
    return [_route(row) for row in rows]


def route_history(tx: Connection, endpoint: EndpointName) -> list[tuple[datetime, Route]]:
    """Every route the endpoint had, with the instant it was set, oldest first."""
    rows = tx.execute(select(routes).where(routes.c.endpoint == endpoint).order_by(routes.c.generation))
    return [(from_micros(row.at), _route(row)) for row in rows]


def _row(variant: Variant) -> dict[str, object]:
    return {
        "name": variant.name,
        "model": variant.model,
        "version": variant.version,
        "share": variant.share,
        "shadow": variant.shadow,
    }


def _route(row: Row[tuple[object, ...]]) -> Route:
    return Route(
        endpoint=EndpointName(row.endpoint),
        generation=row.generation,
        salt=row.salt,
        variants=tuple(
            Variant(
                name=each["name"],
                model=ModelName(each["model"]),
                version=each["version"],
                share=each["share"],
                shadow=each["shadow"],
            )
            for each in row.variants
        ),
    )
