"""A plan of fixes and what came of it, in a terminal: the diff first, then what it is for, then what turned.

Texts of the repository become ``Text``, never markup, and cannot steer the terminal.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mlwright.doors.reports.words import MARKS, clean, interval, many
from mlwright.model.findings import Outcome
from mlwright.model.fixes import Change, FixPlan, FixResult, PlannedFix, Turn

_LONG: Final = 200
_HEAD: Final = 40
_STYLES: Final = (
    ("+++", "bold"),
    ("---", "bold"),
    ("@@", "cyan"),
    ("+", "green"),
    ("-", "red"),
    ("\\", "dim"),
)


def fix_plan(plan: FixPlan, *, whole: bool = False) -> RenderableType:
    """The unified diff of all changes, then what each fix is for, what it leaves, and what it cannot do.

    Args:
        plan: what would be changed.
        whole: show every line of files that are long; else their first ones.
    """
    parts: list[RenderableType] = [*(line for change in plan.changes for line in _diff(change, whole))]
    if not plan.fixes:
        parts.append(Text("No fix would change anything: nothing that a machine can mend is missing."))
    for each in plan.fixes:
        parts += _fix(each)
    if plan.changes:
        added, removed = _sizes(plan.changes)
        parts.append(Text(f"\n{many(len(plan.changes), 'file')}, +{added:,} −{removed:,} lines", "bold"))
    return Group(*parts)


def fix_result(result: FixResult) -> RenderableType:
    """What was written, which findings turned, which did not and why, and readiness before and after."""
    parts: list[RenderableType] = [
        Text.assemble(
            ("Readiness  ", "bold"),
            f"{interval(result.before)} → ",
            (interval(result.after), "bold"),
            " of 100",
        )
    ]
    better = [each for each in result.turned if each.after is Outcome.TRUE]
    worse = [each for each in result.turned if each.after in (Outcome.FALSE, Outcome.ERROR)]
    others = [each for each in result.turned if each not in better and each not in worse]
    for title, turns in (
        ("Holds now", better),
        ("Can be asked now, and does not hold", worse),
        ("Also changed", others),
    ):
        parts += _turned(title, turns)
    left = [each for each in result.remaining if each.finding not in {turn.finding for turn in worse}]
    if left:
        parts.append(Text("\nDoes not hold yet", "bold"))
    for each in left:
        parts.append(
            Text.assemble(
                (f"  {MARKS[Outcome.FALSE]} ", "red"), clean(each.title), (f"  {each.finding}", "dim")
            )
        )
        parts.append(_indented(each.why, 4))
    if not result.turned and not left:
        parts.append(Text("No finding is another one than before."))
    return Group(*parts)


def _diff(change: Change, whole: bool) -> Iterator[Text]:
    # Only a line feed ends a line of a diff: other ends are part of what is shown.
    lines = change.diff.split("\n")[:-1]
    cut = not whole and len(lines) > _LONG
    for line in lines[:_HEAD] if cut else lines:
        yield _line(line)
    if cut:
        yield Text(
            f"… {len(lines) - _HEAD:,} more lines of {clean(change.path)}: --dry-run shows them all", "yellow"
        )


def _line(line: str) -> Text:
    style = next((style for start, style in _STYLES if line.startswith(start)), "")
    shown = "    ".join(map(clean, line.removesuffix("\r").split("\t")))
    return Text(shown + ("␍" if line.endswith("\r") else ""), style, overflow="fold")


def _fix(fix: PlannedFix) -> Iterator[RenderableType]:
    mark, style = ("→", "green") if fix.changes else ("✗", "red") if fix.refused else ("·", "dim")
    yield Text.assemble((f"\n{mark} {fix.id}", f"bold {style}"), f"  {clean(fix.title)}")
    if fix.refused:
        yield _indented(f"cannot be done: {fix.refused}", 2)
        if fix.next_command:
            yield _indented(f"next: {fix.next_command}", 2)
    elif not fix.changes:
        yield _indented("would change nothing", 2)
    if fix.changes:
        yield _indented(f"writes {', '.join(fix.changes)}", 2)
    if fix.turns:
        yield _indented(f"mends {', '.join(fix.turns)}", 2)
    for id, why in fix.leaves.items():
        yield _indented(f"leaves {id}: {why}", 2)
    for note in fix.notes:
        yield _indented(f"note: {note}", 2, "dim")


def _turned(title: str, turns: Sequence[Turn]) -> Iterator[RenderableType]:
    if turns:
        yield Text(f"\n{title}", "bold")
    for each in turns:
        style = "green" if each.after is Outcome.TRUE else "red" if each.after is Outcome.FALSE else "cyan"
        yield Text.assemble(
            (f"  {MARKS[each.after]} ", style), clean(each.title), (f"  {each.finding}", "dim")
        )
        yield _indented(each.why, 4, "dim")


def _sizes(changes: Iterable[Change]) -> tuple[int, int]:
    added = removed = 0
    for change in changes:
        lines = change.diff.split("\n")[2:]
        added += sum(line.startswith("+") for line in lines)
        removed += sum(line.startswith("-") for line in lines)
    return added, removed


def _indented(text: str, left: int, style: str = "") -> Padding:
    return Padding(Text(clean(text), style, overflow="fold"), (0, 0, 0, left), expand=False)
