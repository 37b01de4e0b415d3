"""``models``, ``endpoints`` and ``deploy``: what is registered, and what answers."""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.commands import proofs
from mlwright.doors.cli.door import Door, OrShow, command
from mlwright.doors.cli.show import pairs, short, table
from mlwright.model.endpoints import Route
from mlwright.model.registry import ModelVersion
from mlwright.platform.releases import EndpointStatus


@click.group("models", cls=OrShow)
def models() -> None:
    """List model versions, look at one, move an alias.

    ``mlwright models`` and ``mlwright models REF`` are short for ``mlwright models show``.
    """


@command(
    "show", group=models, example="mlwright models\nmlwright models churn@champion\nmlwright models churn/3"
)
@click.argument("ref", required=False)
@click.option("--model", help="Only the versions of this model.")
def show(door: Door, ref: str | None, model: str | None) -> None:
    """List versions, or look at one: name/3, name@alias, or name for its latest."""
    if ref is not None:
        door.show(door.platform.releases.version(ref), _version)
    else:
        door.show(door.platform.releases.models(model), _versions)


@command("promote", group=models, example="mlwright models promote churn/3 --alias champion")
@click.argument("ref")
@click.option("--alias", default="champion", show_default=True, help="The alias to move.")
def promote(door: Door, ref: str, alias: str) -> None:
    """Move an alias to a version. Traffic moves with ``mlwright deploy``, not with an alias."""
    door.show(door.platform.releases.promote(ref, alias), _version)


for _each in proofs.COMMANDS:
    models.add_command(_each)


@command("endpoints", example="mlwright endpoints\nmlwright endpoints churn --json")
@click.argument("endpoint", required=False)
def endpoints(door: Door, endpoint: str | None) -> None:
    """Show the traffic split, the champion and the rollout of one endpoint or of all."""
    releases = door.platform.releases
    door.show((releases.status(endpoint),) if endpoint else releases.endpoints(), _endpoints)


@command("deploy", example="mlwright deploy churn churn/1\nmlwright deploy churn")
@click.argument("endpoint")
@click.argument("ref", required=False)
def deploy(door: Door, endpoint: str, ref: str | None) -> None:
    """Put a version behind an endpoint for all traffic; its alias moves along.

    Without REF it is the version that the endpoint's alias points to.
    """
    with door.working("loading the model"):
        route = door.platform.releases.deploy(endpoint, ref)
    door.show(route, _route)


def _versions(found: Sequence[ModelVersion]) -> RenderableType:
    rows = [
        (
            each.ref,
            ", ".join(each.aliases),
            each.created,
            each.trained_from,
            each.trained_to,
            _metrics(each),
            each.run,
        )
        for each in found
    ]
    columns = ["version", "aliases", "created", "trained from", "to", "evidence", "run"]
    return table(columns, rows, empty="no model is registered; next: mlwright run --list")


def _version(one: ModelVersion) -> RenderableType:
    evidence = one.evaluation
    about = pairs(
        {
            "version": one.ref,
            "aliases": ", ".join(one.aliases),
            "flavor": one.flavor,
            "digest": one.digest,
            "source": one.source,
            "status": one.status if one.digest is None else None,
            "description": one.description,
            "created": one.created,
            "run": one.run,
            "trained on": one.trained_from and f"{one.trained_from:%Y-%m-%d} … {one.trained_to:%Y-%m-%d}",
            "evidence": evidence
            and f"{_metrics(one)} on {evidence.rows:,} rows, {evidence.start:%Y-%m-%d} … {evidence.end:%Y-%m-%d}",
        }
    )
    return Group(about, table(["input", "type"], [(each.name, each.type) for each in one.inputs]))


def _metrics(one: ModelVersion) -> str:
    evidence = one.evaluation
    return ", ".join(f"{key} {value:.4f}" for key, value in evidence.metrics.items()) if evidence else ""


def _endpoints(found: Sequence[EndpointStatus]) -> RenderableType:
    rows = [
        (
            each.endpoint,
            each.champion.ref if each.champion else None,
            _split(each.route) if each.route else None,
            each.rollout and f"{each.rollout.model}/{each.rollout.challenger}, step {each.rollout.step + 1}",
        )
        for each in found
    ]
    return table(["endpoint", "champion", "traffic", "rollout"], rows, empty="mlwright.toml has no endpoint")


def _split(route: Route) -> str:
    return ", ".join(
        f"{each.model}/{each.version} {'shadow' if each.shadow and not each.share else format(each.share, '.0%')}"
        for each in route.variants
    )


def _route(route: Route) -> RenderableType:
    return pairs(
        {
            "endpoint": route.endpoint,
            "generation": route.generation,
            "traffic": _split(route),
            "salt": short(route.salt),
        }
    )
