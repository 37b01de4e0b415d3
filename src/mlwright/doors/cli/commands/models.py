"""``models``, ``endpoints``, ``deploy`` and ``withdraw``: what is registered, and what answers."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Group, RenderableType

from mlwright.doors.cli import version_views as views
from mlwright.doors.cli.commands import optimizing, proofs
from mlwright.doors.cli.door import Door, OrShow, command
from mlwright.doors.cli.files import put
from mlwright.doors.cli.show import pairs, short, table
from mlwright.doors.wire import to_json, to_plain
from mlwright.errors import UsageError
from mlwright.model.endpoints import Route
from mlwright.model.registry import ModelVersion
from mlwright.platform.releases import EndpointStatus

_OUTPUT = click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file instead of stdout.",
)


@click.group("models", cls=OrShow)
def models() -> None:
    """List model versions, look at one, compare two, promote one.

    ``mlwright models`` and ``mlwright models REF`` are short for ``mlwright models show``.
    """


@command(
    "show", group=models, example="mlwright models\nmlwright models churn@champion\nmlwright models churn/3"
)
@click.argument("ref", required=False)
@click.option("--model", help="Only the versions of this model.")
@click.option("--all", "everything", is_flag=True, help="All evidence, not only the newest of each kind.")
def show(door: Door, ref: str | None, model: str | None, everything: bool) -> None:
    """List versions, or look at one and at what was found out about it: name/3, name@alias, or name for its latest."""
    platform = door.any_platform
    if ref is None:
        door.show(platform.releases.models(model), _versions)
        return
    version = platform.releases.version(ref)
    found = platform.dossiers.evidence(version.ref, everything=everything)
    if door.as_json:
        about = to_plain(version)
        door.show({**(about if isinstance(about, dict) else {}), "evidence": found}, str)
    else:
        door.show(version, lambda one: Group(_version(one), views.evidence(found)))


@command(
    "register",
    group=models,
    example="mlwright models register ./model --name churn\nmlwright models register rules.py:predict --name churn",
)
@click.argument("source")
@click.option("--name", required=True, help="The model's name; made when new.")
@click.option("--alias", help="Then move this alias to it, as models promote does.")
def register(door: Door, source: str, name: str, alias: str | None) -> None:
    """Store an MLflow Model folder, or a function as FILE.py:NAME, as the next version of a model.

    The files are scanned first; what would do harm when it is loaded is refused. The function's file says a few rows
    for it in EXAMPLE.
    """
    platform = door.store_platform
    with door.working(f"storing {source}"):
        version = platform.releases.register(source, name)
    door.show(platform.releases.promote(version.ref, alias) if alias else version, _version)


@command(
    "promote",
    group=models,
    example="mlwright models promote churn/3 --dry-run\nmlwright models promote churn/3 --alias champion",
)
@click.argument("ref")
@click.option("--alias", default="champion", show_default=True, help="The alias to move.")
@click.option("--dry-run", is_flag=True, help="Show what every gate says; keep and move nothing.")
@click.option(
    "--override", metavar="REASON", help="Move it although a gate does not pass, where the policy names you."
)
def promote(door: Door, ref: str, alias: str, dry_run: bool, override: str | None) -> None:
    """Move an alias to a version, if the [[promotion]] policy of the alias lets it through.

    An endpoint that names the alias follows it at once while it is served, unless a rollout is under way. Exit code 1
    where a gate does not pass.
    """
    platform = door.any_platform
    if dry_run:
        with door.working("asking the gates"):
            judgement = platform.releases.judge(ref, alias)
        door.show(judgement, views.judgement)
        door.finish(well=not judgement.refused)
    if override is not None and not override.strip():
        raise UsageError("an override needs a reason", where="--override")
    with door.working("asking the gates"):
        moved = platform.releases.promote(ref, alias, override=override)
    door.show(moved, _version)


@command(
    "approve", group=models, example='mlwright models approve churn/3 --role ml-lead --reason "looked at it"'
)
@click.argument("ref")
@click.option("--role", required=True, help="The role that a promotion policy asks for.")
@click.option("--reason", default="", help="Why; it is kept.")
@click.option("--withdraw", is_flag=True, help="Take the approval back.")
def approve(door: Door, ref: str, role: str, reason: str, withdraw: bool) -> None:
    """Approve the files of a version, as MLWRIGHT_ACTOR or the account of this process.

    It counts for these files alone: another version has to be approved anew.
    """
    given = door.any_platform.releases.approve(ref, role, reason, withdraw=withdraw)
    door.show(given, lambda one: one.summary)


@command("card", group=models, example="mlwright models card churn@champion --output MODEL_CARD.md")
@click.argument("ref")
@_OUTPUT
def card(door: Door, ref: str, output: Path | None) -> None:
    """Write a version's model card: Markdown with facts, and TODO(owner) for every judgement."""
    text = door.any_platform.dossiers.card(ref)
    _write(door, {"card": text}, text, output)


@command("bom", group=models, example="mlwright models bom churn@champion --output bom.json")
@click.argument("ref")
@_OUTPUT
def bom(door: Door, ref: str, output: Path | None) -> None:
    """Write a version's bill of materials: CycloneDX 1.6 in JSON, with model card, data sets and packages."""
    found = door.any_platform.dossiers.bom(ref)
    _write(door, found, msgspec.json.format(to_json(found), indent=2).decode() + "\n", output)


@command("compare", group=models, example="mlwright models compare churn@champion churn/3")
@click.argument("before")
@click.argument("after")
def compare(door: Door, before: str, after: str) -> None:
    """Show how two versions differ: params, data, code, packages, signature, evidence, and scores on the same rows."""
    with door.working("scoring both on the same rows"):
        found = door.any_platform.dossiers.compare(before, after)
    door.show(found, views.comparison)


def _write(door: Door, value: object, text: str, output: Path | None) -> None:
    if output is not None:
        put(output, text)
        door.show({"written": str(output)}, lambda said: f"{said['written']} is written")
    elif door.as_json:
        door.show(value, str)
    else:
        click.echo(text, nl=False)


for _each in (*proofs.COMMANDS, *optimizing.COMMANDS):
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


@command("withdraw", example="mlwright withdraw churn")
@click.argument("endpoint")
def withdraw(door: Door, endpoint: str) -> None:
    """Take an endpoint out of service: what is in flight is answered, then requests get 503. deploy puts it back.

    It does not end a rollout: abort that first.
    """
    route = door.platform.releases.withdraw(endpoint)
    door.show(route, lambda left: _route(left) if left else f"nothing was ever deployed to {endpoint!r}")


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
    if not route.variants:
        return "out of service"
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
