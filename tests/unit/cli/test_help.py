"""What the command line says about itself."""

import click
import pytest
from click.testing import CliRunner

from mlwright import __version__
from mlwright.doors.cli.main import COMMANDS, cli


def walk(command, path=()):
    context = click.Context(command, info_name=" ".join(path) or "mlwright")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))
    else:
        yield path, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(name) -> None:
    for path, command in walk(cli.get_command(click.Context(cli), name), (name,)):
        text = CliRunner().invoke(cli, [*path, "--help"]).stdout
        assert "Example" in text, path
        assert f"mlwright {name}" in text, path
        assert any("--json" in parameter.opts for parameter in command.params), path
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or parameter.help, (path, parameter.name)


def test_the_table_says_what_the_command_says() -> None:
    """The short help stands in the table so that nothing is imported; the long one must not contradict it."""
    text = CliRunner().invoke(cli, ["--help"]).stdout
    for name, entry in COMMANDS.items():
        assert entry.help.endswith(".")
        assert len(entry.help) <= 60
        assert f"{name} " in text
        assert entry.help in text


def test_no_command_is_a_request_for_help() -> None:
    done = CliRunner().invoke(cli, [])
    assert done.exit_code == 0
    assert "Data and training:" in done.stdout


def test_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"mlwright {__version__}\n"
