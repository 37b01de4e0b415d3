"""``mlwright``: the table of commands, and what happens to every error.

The table names each command's home and its short help, so that ``mlwright --help`` imports click and nothing else.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from mlwright import __version__
from mlwright.doors.cli.failures import exit_code_of
from mlwright.errors import near_match


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command stands, and what ``mlwright --help`` says about it."""

    target: str
    help: str


_HERE = "mlwright.doors.cli.commands"

SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Start": {
        "init": Entry(f"{_HERE}.init:init", "Write a small project that runs at once."),
        "demo": Entry("mlwright.doors.cli.demo.command:demo", "Show the whole loop on real flights."),
        "up": Entry("mlwright.doors.up.command:up", "Serve the project: page, endpoints, scheduler."),
        "tracking": Entry(f"{_HERE}.tracking:tracking", "Serve experiments and models to MLflow clients."),
        "doctor": Entry(f"{_HERE}.doctor:doctor", "Examine the project and say what to do."),
    },
    "Ask the engineer": {
        "assess": Entry(f"{_HERE}.assess:assess", "Look at any repository and say what to do first."),
        "review": Entry(f"{_HERE}.review:review", "Look over files that deploy a model."),
        "ask": Entry(f"{_HERE}.ask:ask", "Ask a question in plain English."),
        "mcp": Entry("mlwright.doors.mcp.command:mcp", "Serve the engineer to coding agents (MCP)."),
        "agent": Entry("mlwright.doors.mcp.command:agent", "Install the engineer into a coding agent."),
    },
    "Data and training": {
        "check": Entry(f"{_HERE}.check:check", "Check data sets against their contracts."),
        "features": Entry(f"{_HERE}.check:features", "Write feature views to the online store."),
        "run": Entry(f"{_HERE}.run:run", "Run a pipeline and record it."),
        "runs": Entry(f"{_HERE}.run:runs", "List runs, or look at one."),
    },
    "Release": {
        "models": Entry(f"{_HERE}.models:models", "List model versions, look at, compare, promote."),
        "endpoints": Entry(f"{_HERE}.models:endpoints", "Show what stands behind each endpoint."),
        "deploy": Entry(f"{_HERE}.models:deploy", "Put a model version behind an endpoint."),
        "withdraw": Entry(f"{_HERE}.models:withdraw", "Take an endpoint out of service."),
        "rollout": Entry(f"{_HERE}.rollout:rollout", "Start, watch and end rollouts."),
        "profile": Entry(f"{_HERE}.optimizing:profile", "Measure an endpoint: times, memory, load."),
    },
    "Serve": {
        "serve": Entry(f"{_HERE}.serve:serve", "Serve one model: HTTP and gRPC, many protocols."),
        "predict": Entry(
            f"{_HERE}.predicting:predict", "Ask a running endpoint, or score files and streams."
        ),
        "build": Entry(f"{_HERE}.build:build", "Build an image of one endpoint."),
        "feedback": Entry(f"{_HERE}.predict:feedback", "Send labels to a running endpoint."),
    },
    "Watch": {
        "diagnose": Entry(f"{_HERE}.diagnose:diagnose", "Find out why quality fell: name the cause."),
        "monitor": Entry(f"{_HERE}.monitor:monitor", "Show quality and drift over time."),
        "slo": Entry(f"{_HERE}.slo:slo", "Show what is promised and kept; error budgets."),
        "alerts": Entry(f"{_HERE}.alerts:alerts", "List alerts, take one, silence some, try a channel."),
        "retrain": Entry(f"{_HERE}.retrain:retrain", "Train candidates and let the gate choose."),
        "tick": Entry(f"{_HERE}.retrain:tick", "Turn the loop once: watch, judge, retrain."),
    },
    "Move": {
        "import": Entry(f"{_HERE}.moving:import_", "Move in from MLflow, W&B, Comet, Neptune and others."),
    },
    "Account": {
        "decisions": Entry(f"{_HERE}.account:decisions", "List what was decided, and why."),
        "trace": Entry(f"{_HERE}.account:trace", "Show what a thing came from and led to."),
        "audit": Entry(f"{_HERE}.account:audit", "List changes of state; verify their chain."),
        "gc": Entry(f"{_HERE}.gc:gc", "Remove what was deleted, and bytes that nothing names."),
        "export": Entry(f"{_HERE}.export:export", "Take everything away as open files."),
        "settings-schema": Entry(
            f"{_HERE}.export:settings_schema", "Print the JSON Schema of mlwright.toml."
        ),
    },
}

COMMANDS: Final[Mapping[str, Entry]] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where the table has no such name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{entry.target} is not a click command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line, or suggest the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = near_match(name, COMMANDS)
            hint = f"; did you mean {near!r}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, section by section."""
        width = max(map(len, COMMANDS))
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in entries.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one command line; in standalone mode every error ends here, as text or JSON and an exit code."""
        words = list(sys.argv[1:] if args is None else args)
        call = partial(super().main, words, prog_name or "mlwright", complete_var, False, **extra)
        if not standalone_mode:
            return call()
        sys.exit(exit_code_of(call, as_json="--json" in words))


@click.command(
    "mlwright",
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command takes --json. Exit codes: 0 yes, 1 the answer is no, 2 cannot be right as typed, "
    "3 nothing has that name, 4 something is in the way, 5 state, 6 model, 7 data, 8 an extra is missing.",
)
@click.option(
    "--project",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="The project's folder. Default: here or the nearest folder above that has an mlwright.toml.",
)
@click.version_option(__version__, "-V", "--version", message="mlwright %(version)s")
@click.pass_context
def cli(context: click.Context, project: Path | None) -> None:
    """The MLOps engineer you can install.

    One program for the whole life of a machine-learning model, from the data contract to retraining.

    \b
    In an empty folder:
      mlwright init && mlwright check && mlwright run train_churn && mlwright deploy churn churn/1
    """
    context.obj = project
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line of this process."""
    # OpenMP threads that spin long while they wait for one another make training on a busy machine ten times slower
    # and dearer; threads that never spin lose the second core. Measured for one fit of trees on two cores, alone and
    # beside six busy processes: default 0.6 s and 50 s, 10000 turns 0.6 s and 20 s (11 s of them processor time), no
    # spinning 1.3 s and 3 s, this 0.7 s and 4 s (3 s).
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # Whoever closed the pipe has read enough; a traceback at exit would be noise.
    try:
        cli.main(prog_name="mlwright")
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
