"""``ask``: a question in plain English, answered with evidence."""

from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import table
from mlwright.model.answers import Answer, Choice, Statement, Told

_NOTHING = Text("")
_DROPPED = 5
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co"))
"""Categories of characters that move the cursor, turn the text round or cannot be written."""


@command(
    "ask",
    example='mlwright ask "how do I deploy this model for real-time predictions?"\n'
    'mlwright ask "our accuracy has been falling for weeks" --in ../churn\n'
    'mlwright ask "what next?" --advisor openai:gpt-5',
)
@click.argument("question", nargs=-1, required=True)
@click.option(
    "--in",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=".",
    help="The repository that is meant. Default: here.",
)
@click.option(
    "--advisor",
    metavar="MODEL",
    help="Let this language model talk about the answer, such as openai:gpt-5; 'project': as mlwright.toml says. "
    "It is sent findings with their evidence. Default: $MLWRIGHT_ADVISOR, else none.",
)
def ask(door: Door, question: tuple[str, ...], folder: Path, advisor: str | None) -> None:
    """Ask in plain English. Rules answer, offline; nothing in the repository is run.

    Exits with 1 where the question was not understood.
    """
    from mlwright.wiring.advisor import open_advisor

    model = open_advisor(advisor, door.start)
    with door.working("reading the repository"):
        answer = door.engineer.ask(_typed(question), folder, advisor=model)
    door.show(answer, view)
    door.finish(well=answer.reading.sure)


def _typed(words: tuple[str, ...]) -> str:
    # What is no text in the shell's encoding arrives as lone surrogates, which no document can hold.
    return " ".join(words).encode("utf-8", errors="replace").decode("utf-8")


def view(answer: Answer) -> RenderableType:
    """The answer as a terminal shows it: reading, answer, evidence, options, next commands, what was not seen."""
    return Group(*_parts(answer))


def _parts(answer: Answer) -> Iterator[RenderableType]:
    yield from _reading(answer)
    yield Text(_shown(answer.summary), style="bold")
    yield _NOTHING
    for each in answer.statements:
        if not each.source:
            yield _statement(each)
    yield from _advice([each for each in answer.statements if each.source])
    if answer.choices:
        yield _heading("Options, nearest to what is here first")
        for number, choice in enumerate(answer.choices, 1):
            yield _choice(number, choice)
    yield from _list("What would change the answer", answer.questions)
    if answer.commands:
        yield table(
            ["next", "what it does"],
            [(Text(_shown(each.command), style="cyan"), _shown(each.why)) for each in answer.commands],
        )
    yield from _list("What could not be seen", answer.not_seen)
    if answer.told is not None:
        yield from _told(answer.told)


def _reading(answer: Answer) -> Iterator[RenderableType]:
    reading = answer.reading
    if reading.sure:
        others = "; ".join(each.title for each in reading.others)
        line = f"I read this as: {reading.title} (because of {', '.join(reading.why)})."
        yield Text(_shown(line + (f" Other readings: {others}." if others else "")), style="dim")
        yield _NOTHING


def _statement(each: Statement) -> RenderableType:
    text = Text(f"• {_shown(each.text)}")
    if each.because:
        text.append(f" [{', '.join(map(_shown, each.because))}]", style="dim")
    lines = [text]
    if each.places:
        lines.append(Text(f"  {_shown(', '.join(map(str, each.places)))}", style="dim"))
    if each.remedy:
        lines.append(Text(f"  → {_shown(each.remedy)}", style="cyan"))
    return Group(*lines)


def _advice(statements: list[Statement]) -> Iterator[RenderableType]:
    if statements:
        yield _heading("Advice, which says nothing about this repository")
    for each in statements:
        yield Text.assemble(f"• {_shown(each.text)}", (f" ({_shown(each.source)})", "dim"))


def _choice(number: int, each: Choice) -> RenderableType:
    lines = [
        Text.assemble((f"{number}. {each.what}", "bold"), f"  effort: {each.effort}"),
        Text(f"   good: {each.good}"),
        Text(f"   bad:  {each.bad}"),
        Text(f"   cost: {each.cost}"),
    ]
    lines += [Text(f"   {_shown(reason)}", style="dim") for reason in each.here]
    lines.append(Text(f"   begin: {each.command}", style="cyan"))
    return Padding(Group(*lines), (0, 0, 1, 0))


def _list(title: str, lines: tuple[str, ...]) -> Iterator[RenderableType]:
    if lines:
        yield _heading(title)
        for each in lines:
            yield Text(f"• {_shown(each)}")


def _told(told: Told) -> Iterator[RenderableType]:
    yield _heading(f"{_shown(told.advisor)} says ({_shown(told.note)})")
    for line in told.text.splitlines():
        yield Text(f"│ {_shown(line)}", style="italic")
    for each in told.dropped[:_DROPPED]:
        yield Text(f"  dropped, {_shown(each.reason)}", style="dim")


def _heading(text: str) -> RenderableType:
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def _shown(text: str) -> str:
    """A text of a repository is shown and never obeyed by the terminal."""
    return "".join(each if category(each) not in _HIDDEN else " " if each in "\n\t" else "" for each in text)
