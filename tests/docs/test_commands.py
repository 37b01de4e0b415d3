"""Every command line in a page can be typed: the command, its subcommand and its options exist."""

import re
import shlex

import click
import pytest

from mlwright.doors.cli.door import OrShow
from mlwright.doors.cli.main import cli

_SPAN = re.compile(r"`(mlwright [^`\n]+)`")
_END = re.compile(r"\s(?:&&|\|\||[|;>#])\s?")


def lines_of(prose: str, blocks) -> list[str]:
    spans = _SPAN.findall(prose)
    typed = [line.strip().removeprefix("$ ") for block in blocks for line in block.text.splitlines()]
    pieces = [piece for line in [*spans, *typed] for piece in _END.split(line)]
    return [piece.strip() for piece in pieces if re.match(r"\s*mlwright [\w-]", piece)]


def fault(line: str) -> str | None:
    """What cannot be typed of a command line, or None."""
    command: click.Command = cli
    context = click.Context(cli, info_name="mlwright")
    words = shlex.split(line, comments=True)[1:]
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            known = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
            name = word.partition("=")[0]
            if name in ("--help", "-h"):
                continue
            if name not in known:
                return f"{command.name} has no option {name}"
            option = known[name]
            skip = isinstance(option, click.Option) and not option.is_flag and "=" not in word
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None and isinstance(command, OrShow):
                found = command.get_command(context, "show")
            if found is None:
                return f"{command.name} has no command {word!r}"
            command = found
    return None


def test_commands_can_be_typed(page, prose, page_blocks) -> None:
    wrong = [f"{line}: {why}" for line in lines_of(prose, page_blocks) if (why := fault(line))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("mlwright rollout start churn churn/2", None),
        ("mlwright models churn/3", None),
        ("mlwright --project DIR run train -p end=2025-11-01", None),
        ("mlwright rolout start", "no command 'rolout'"),
        ("mlwright rollout begin churn", "no command 'begin'"),
        ("mlwright monitor churn --drifts", "no option --drifts"),
    ],
)
def test_what_cannot_be_typed_is_seen(line, why) -> None:
    found = fault(line)
    assert (found is None) if why is None else (why in (found or ""))


def test_lines_are_found_in_prose_and_blocks(blocks) -> None:
    found = lines_of("Type `mlwright runs` or `./dev demo`.", blocks("README.md"))
    assert "mlwright runs" in found
    assert "mlwright deploy churn churn/1" in found
    assert not any(line.startswith("./dev") for line in found)


def test_dev_commands_exist(page, prose, page_blocks, repository) -> None:
    script = (repository / "dev").read_text(encoding="utf-8")
    known = set(re.findall(r"^    ([a-z]+)\)$", script, flags=re.MULTILINE)) | {"help"}
    text = prose + "\n".join(block.text for block in page_blocks)
    used = set(re.findall(r"\./dev ([a-z]+)", text))
    assert used <= known, f"./dev has no {', '.join(sorted(used - known))}"
