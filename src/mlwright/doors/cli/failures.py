"""Errors at the command line: what is printed, as text or as JSON, and which exit code it ends with."""

import os
import sys
import traceback
from collections.abc import Callable
from tempfile import mkstemp
from typing import Final

import click

from mlwright.errors import MlwrightError, UsageError

INTERRUPTED: Final = 130
"""What a shell gives a program that ended by Ctrl-C: 128 + SIGINT."""
UNEXPECTED: Final = 70
"""EX_SOFTWARE of sysexits.h."""


def exit_code_of(run: Callable[[], object], *, as_json: bool) -> int:
    """Run a command line; report what it raises and return its exit code.

    Args:
        run: gives an exit code, or anything else for success.
        as_json: write errors as a JSON object to stdout, else as text to stderr.
    """
    try:
        code = run()
    except MlwrightError as error:
        return _report(error, as_json=as_json)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _report(_as_ours(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last door: nothing may reach the user as a wall of text
        return _report(_Unexpected(error, _save_traceback(error)), as_json=as_json)
    return code if isinstance(code, int) else 0


class _Unexpected(MlwrightError):
    """A fault of mlwright itself, or of code that it called."""

    exit_code = UNEXPECTED

    def __init__(self, error: Exception, file: str) -> None:
        super().__init__(
            f"{type(error).__name__}: {error}",
            why=f"this is a fault in mlwright or in code that it called; the details are in {file}",
            next_command="MLWRIGHT_DEBUG=1 and the same command shows them here",
        )
        self.__cause__ = error

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return "Unexpected"


def _as_ours(error: click.ClickException) -> MlwrightError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "mlwright"
    text = error.format_message().strip()
    what = text[:1].lower() + text[1:] if text[1:2].islower() else text
    return UsageError(what.removesuffix("."), where=command, next_command=f"{command} --help")


def _report(error: MlwrightError, *, as_json: bool) -> int:
    if as_json:
        # Only an error that a machine asked for pays for the encoder.
        from mlwright.doors.wire import error_to_plain, to_json

        click.echo(to_json(error_to_plain(error)))
    else:
        first, *rest = str(error).splitlines()
        click.echo("\n".join([click.style("error: ", fg="red", bold=True) + first, *rest]), err=True)
    if os.environ.get("MLWRIGHT_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    return error.exit_code


def _save_traceback(error: Exception) -> str:
    handle, path = mkstemp(prefix="mlwright-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv)}\n\n")
        traceback.print_exception(error, file=file)
    return path
