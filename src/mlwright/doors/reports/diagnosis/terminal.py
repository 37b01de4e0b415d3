"""A diagnosis in the terminal: the verdict first, then what it rests on."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.show import pairs, table
from mlwright.doors.reports.diagnosis.words import MARKS, instant, points, share, tone
from mlwright.model.diagnosis import Diagnosis, Outcome, Test

_STYLES = {"ok": "green", "bad": "bold red", "warn": "bold yellow", "busy": "bold cyan"}
_OUTCOMES = {Outcome.FOUND: "red", Outcome.CLEAR: "green", Outcome.UNKNOWN: "dim"}


def diagnosis_screen(found: Diagnosis) -> RenderableType:
    """Verdict, where it is, shares, changes, every test, slices, next commands."""
    head = Text(f"{found.verdict}", style=_STYLES[tone(found)]).append(f"  ({found.sureness})", style="dim")
    parts: list[RenderableType] = [
        head,
        Text(found.summary),
        Text(),
        pairs(_facts(found)),
    ]
    if found.suspects:
        rows = [
            (each.column, each.mechanism, each.factor, each.rows, share(each.recovered), each.text)
            for each in found.suspects
        ]
        columns = ["feature", "what", "factor#", "rows#", "share of the drop", "how it shows"]
        parts.append(table(columns, rows, title="where it is"))
    if found.shares:
        listed = [(each.cause.value, share(each.share), each.text) for each in found.shares]
        parts.append(table(["cause", "share of the drop", "why"], listed))
    if found.happenings:
        changes = [(each.at, each.kind, each.what, each.source) for each in found.happenings]
        parts.append(
            table(["when", "kind", "what", "source"], changes, title="what was changed around the onset")
        )
    parts.append(Text("\nevery test, those that found nothing too", style="bold"))
    parts += [_tests(list(alike)) for _, alike in groupby(found.tests, key=_answer)]
    if found.slices:
        rows_of = [
            (each.where, each.rows, each.loss_before, each.loss_now, each.contribution, each.p_adjusted)
            for each in found.slices
        ]
        columns = ["slice", "rows#", "loss before#", "loss now#", "part of the drop#", "adjusted p#"]
        parts.append(table(columns, rows_of, title="where the drop is"))
    parts += [
        Text(f"{each.command}", style="cyan").append(f"  {each.why}", style="dim") for each in found.commands
    ]
    parts += [Text(f"it would change the verdict: {each}", style="dim") for each in found.would_change]
    parts += [Text(f"limit: {each}", style="dim") for each in found.limits]
    return Group(*parts)


def _answer(test: Test) -> tuple[Outcome, str, tuple[str, ...]]:
    return test.outcome, test.text, test.needs


def _tests(alike: Sequence[Test]) -> Text:
    """One test; or those that follow each other with the same answer, as where none was asked for the same reason."""
    first, last = alike[0], alike[-1]
    name = f"{first.id} {first.title}" if len(alike) == 1 else f"{first.id} to {last.id}"
    line = Text(f" {MARKS[first.outcome]} ", style=_OUTCOMES[first.outcome])
    line.append(f"{name} ", style="bold").append(first.text)
    if first.needs:
        line.append(f" It would take: {'; '.join(first.needs)}", style="dim")
    return line


def _facts(found: Diagnosis) -> dict[str, object]:
    facts: dict[str, object] = {
        "about": found.subject,
        f"{found.metric} before, now": f"{found.loss_before:.4f}, {found.loss_now:.4f}",
        "drop": points(found.drop),
        "rows": f"{found.reference_rows:,} before, {found.current_rows:,} now, {found.labelled_rows:,} labelled",
    }
    if found.onset is not None:
        facts["onset"] = f"{found.onset.shape}, {instant(found.onset.at)}"
    if found.retrain_gain is not None:
        facts["a refit takes back"] = share(found.retrain_gain)
    return facts
