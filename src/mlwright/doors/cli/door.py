"""What every command shares: ``--json``, the project's platform, and how a value is shown."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
from rich.console import RenderableType

from mlwright.doors.cli.show import paper, stderr
from mlwright.doors.wire import to_json
from mlwright.errors import MlwrightError, near_match

if TYPE_CHECKING:
    from mlwright.engineer.engineer import Engineer
    from mlwright.platform.facade import Platform

T = TypeVar("T")


class Door:
    """One command at work."""

    def __init__(self, context: click.Context, *, as_json: bool) -> None:
        self._context = context
        self._as_json = as_json

    @property
    def start(self) -> Path | None:
        """The folder that ``--project`` names, or None: search upwards from here."""
        found = self._context.find_root().obj
        return found if isinstance(found, Path) else None

    @cached_property
    def platform(self) -> "Platform":
        """The project's platform, closed when the command ends.

        Raises:
            MlwrightError: the project cannot be opened.
        """
        # 0.7 s of libraries that init, --help and most mistakes on the command line do without.
        from mlwright.wiring.project import close, open_platform

        platform = open_platform(self.start)
        self._context.call_on_close(lambda: close(platform))
        return platform

    @cached_property
    def any_platform(self) -> "Platform":
        """The project's platform, or that of a folder where ``mlwright tracking`` keeps its state without a project.

        Raises:
            MlwrightError: there is neither.
        """
        from mlwright.wiring.project import close, open_registry

        bare = open_registry(self.start)
        if bare is None:
            return self.platform
        self._context.call_on_close(lambda: close(bare))
        return bare

    @cached_property
    def store_platform(self) -> "Platform":
        """The project's platform, or that of a folder without one, whose ``.mlwright`` is made when there is none."""
        from mlwright.wiring.project import close, open_registry

        bare = open_registry(self.start, make=True)
        if bare is None:
            return self.platform
        self._context.call_on_close(lambda: close(bare))
        return bare

    @cached_property
    def engineer(self) -> "Engineer":
        """The engineer, for any folder; it needs no project."""
        from mlwright.wiring.engineer import open_engineer

        return open_engineer()

    @property
    def as_json(self) -> bool:
        """Whether one JSON document on stdout was asked for."""
        return self._as_json

    @property
    def platform_or_error(self) -> "Platform | MlwrightError":
        """The project's platform, or the error with which the project refused to open."""
        try:
            return self.platform
        except MlwrightError as error:
            return error

    def show(self, value: T, view: Callable[[T], RenderableType]) -> None:
        """Write a value to stdout: as one JSON document with ``--json``, else as the view draws it."""
        if self._as_json:
            click.echo(msgspec.json.format(to_json(value), indent=2))
        else:
            paper().print(view(value))

    def finish(self, *, well: bool) -> None:
        """End the command with exit code 0, or 1 where everything worked and the answer is no."""
        self._context.exit(0 if well else 1)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something takes its time, where somebody watches a terminal."""
        if not sys.stderr.isatty():
            yield
            return
        with stderr().status(f"{what} …"):
            yield


def command(
    name: str, *, example: str, group: click.Group | None = None
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a door function a command with ``--json`` and an example in its help.

    The function gets a :class:`Door` first, then its parameters by name.

    Args:
        name: the command's name.
        example: command lines that can be typed, one a line.
        group: the group that it belongs to, where that is not the root.
    """
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    make = group.command if group is not None else click.command

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def call(*, as_json: bool, **given: Any) -> None:
            function(Door(click.get_current_context(), as_json=as_json), **given)

        made = make(name, epilog=f"\b\nExample:\n{lines}")(call)
        made.params.append(
            click.Option(["--json", "as_json"], is_flag=True, help="Write one JSON document to stdout.")
        )
        return made

    return decorate


class OrShow(click.Group):
    """A group whose first command may be left out: ``models`` and ``models REF`` mean ``models show …``."""

    default = "show"
    words = 1
    """How many words the default command takes: one word more, and the first was meant to be a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default first unless a command or a request for help stands there.

        Raises:
            click.UsageError: the first word is no command and cannot be the default's either.
        """
        first = args[0] if args else "-"
        if first not in self.commands and first not in ctx.help_option_names:
            typed = [word for word in args[: self.words + 1] if not word.startswith("-")]
            if not first.startswith("-") and len(typed) > self.words:
                near = near_match(first, self.commands)
                hint = f"; did you mean {near!r}?" if near else ""
                raise click.UsageError(f"there is no command {first!r}{hint}", ctx)
            args = [self.default, *args]
        return super().parse_args(ctx, args)


class OrList(OrShow):
    """A group that lists where no command is given."""

    default = "list"
    words = 0
