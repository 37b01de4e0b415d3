"""A diagnosis as Markdown, for an issue, a chat or a page of a wiki."""

import re
from collections.abc import Iterator, Sequence

from mlwright.doors.reports.diagnosis.words import MARKS, instant, numbers, points, share
from mlwright.model.diagnosis import Diagnosis

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def diagnosis_markdown(found: Diagnosis) -> str:
    """The report as text; names of columns and values stand in it as text and as nothing else."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from _head(found)
    yield from _causes(found)
    yield from _evidence(found)
    yield from _list("Next", [f"`{each.command}` {_text(each.why)}" for each in found.commands])
    yield from _list("What would change this verdict", [_text(each) for each in found.would_change])
    yield from _list("Limits", [_text(each) for each in found.limits])
    yield ""
    yield f"Digest `{found.digest[:16]}`."


def _head(found: Diagnosis) -> Iterator[str]:
    yield f"# Why did {_text(found.subject)} get worse?"
    yield ""
    yield f"**{found.verdict}** ({found.sureness}). {_text(found.summary)}"
    yield ""
    yield f"- {found.metric}: {found.loss_before:.4f} before, {found.loss_now:.4f} now, drop {points(found.drop)}"
    rows = f"{found.reference_rows:,} rows before, {found.current_rows:,} now"
    yield f"- {rows}, {found.labelled_rows:,} of them labelled"
    if found.onset is not None:
        yield f"- {found.onset.shape} onset at {instant(found.onset.at)}"
    if found.retrain_gain is not None:
        yield f"- a refit takes back {share(found.retrain_gain)} of it"


def _causes(found: Diagnosis) -> Iterator[str]:
    yield from _table(
        "Where it is",
        ("feature", "what", "how it shows", "rows", "share of the drop"),
        [
            (each.column, each.mechanism, each.text, f"{each.rows:.0%}", share(each.recovered))
            for each in found.suspects
        ],
    )
    yield from _table(
        "Shares",
        ("cause", "share", "why"),
        [(each.cause.value, share(each.share), each.text) for each in found.shares],
    )
    yield from _table(
        "What was changed around the onset",
        ("when", "kind", "what", "source"),
        [(instant(each.at), each.kind, each.what, each.source) for each in found.happenings],
    )


def _evidence(found: Diagnosis) -> Iterator[str]:
    yield from _table(
        "Every test, those that found nothing too",
        ("", "test", "outcome", "what came out", "figures"),
        [
            (
                MARKS[each.outcome],
                f"{each.id} {each.title}",
                each.outcome.value,
                _told(each.text, each.needs),
                numbers(each),
            )
            for each in found.tests
        ],
    )
    yield from _table(
        "Where the drop is",
        ("slice", "rows", "loss before", "loss now", "part of the drop"),
        [
            (
                each.where,
                f"{each.rows:,}",
                f"{each.loss_before:.4f}",
                f"{each.loss_now:.4f}",
                f"{each.contribution:.0%}",
            )
            for each in found.slices
        ],
    )


def _told(text: str, needs: Sequence[str]) -> str:
    return f"{text} It would take: {'; '.join(needs)}" if needs else text


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield ""
        yield f"## {title}"
        yield ""
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        for row in rows:
            yield f"| {' | '.join(_text(each) for each in row)} |"


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"## {title}"
        yield ""
        yield from (f"- {line}" for line in lines)


def _text(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))
