"""``mcp`` and ``agent``: the engineer for coding agents."""

import logging
import sys
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.mcp.install import AGENTS, Installed, install
from mlwright.errors import MissingExtra, UsageError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@command("mcp", example="mlwright mcp\nmlwright mcp --root ../churn\nmlwright mcp --http --port 8765")
@click.option(
    "--root", metavar="DIR", type=_FOLDER, default=".", help="Nothing outside is read. Default: here."
)
@click.option("--allow-writes", is_flag=True, help="Let apply_fix write, after a dry run, below the root.")
@click.option("--http", is_flag=True, help="Streamable HTTP at /mcp instead of stdin and stdout.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="With --http: an address of this machine."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="With --http; 0: any."
)
def mcp(door: Door, root: Path, allow_writes: bool, http: bool, host: str, port: int) -> None:
    """Serve the engineer to coding agents over the Model Context Protocol.

    Read-only without --allow-writes. Over HTTP it listens on this machine only, because it knows no tokens yet. A
    project is set up for this by "mlwright agent install".
    """
    if door.as_json:
        raise UsageError(
            "what an MCP server writes is the protocol's", where="--json", next_command="mlwright mcp"
        )
    try:
        import mcp as _  # noqa: F401 - the cheapest way to learn that it is there
    except ImportError as error:
        raise MissingExtra.needed("mlwright mcp", "mcp") from error
    from mlwright.doors.mcp.server import make_server, serve_http, serve_stdio
    from mlwright.doors.mcp.workplace import Workplace

    # Before the library sets up its own: a box drawn round a traceback is no use in a client's log.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    server = make_server(Workplace(root, allow_writes=allow_writes))
    if http:
        serve_http(server, host, port)
    else:
        serve_stdio(server)


@click.group("agent", invoke_without_command=True)
@click.pass_context
def agent(context: click.Context) -> None:
    """Install the engineer into a coding agent.

    \b
    Example:
      mlwright agent install claude
      mlwright agent install cursor --dry-run
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command(
    "install", group=agent, example="mlwright agent install claude\nmlwright agent install vscode --dry-run"
)
@click.argument("which", metavar="|".join(AGENTS), type=click.Choice(list(AGENTS)))
@click.option("--dir", "folder", metavar="DIR", type=_FOLDER, default=".", help="The project. Default: here.")
@click.option("--allow-writes", is_flag=True, help="Let the agent apply fixes, after a dry run.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def install_command(door: Door, which: str, folder: Path, allow_writes: bool, dry_run: bool) -> None:
    """Write the MCP configuration and the agent's definition into a project.

    Other servers and settings in the configuration are kept. Typed again, it changes nothing.
    """
    door.show(install(which, folder, allow_writes=allow_writes, dry_run=dry_run), _installed)


def _installed(done: Installed) -> RenderableType:
    parts: list[RenderableType] = []
    for each in done.files:
        parts.append(Text(f"{each.path}: {each.state}", style="bold"))
        parts += [Text(line, style=_style(line)) for line in each.diff.splitlines()]
    parts += [Text(f"next: {step}") for step in done.next]
    return Group(*parts)


def _style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "default")
