"""Drawing what is known of model versions: evidence, what the gates say, and how two versions differ."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.show import pairs, table
from mlwright.model.dossiers import VersionComparison
from mlwright.model.evidence import Evidence
from mlwright.model.promotion import Judgement


def evidence(found: Sequence[Evidence]) -> RenderableType:
    """What was found out about a version."""
    rows = [(each.kind, str(each.outcome), each.at, each.actor, each.summary) for each in found]
    empty = "nothing was found out about it yet; next: mlwright models prove REF"
    return table(["evidence", "outcome", "at", "by", "what was found"], rows, title="Evidence", empty=empty)


def judgement(found: Judgement) -> RenderableType:
    """What every gate says of a version."""
    about = pairs(
        {
            "version": found.ref,
            "alias": f"{found.alias}, now {found.champion or 'nothing'}",
            "outcome": str(found.outcome),
            "policy": _policy(found),
        }
    )
    rows = [(each.gate, str(each.outcome), each.summary, each.next_command or "") for each in found.results]
    gates = table(["gate", "outcome", "what was found", "next"], rows, empty="nothing is asked")
    return Group(about, Text(""), gates)


def comparison(found: VersionComparison) -> RenderableType:
    """How two versions differ; a part in which nothing does is left out."""
    before, after = found.before.ref, found.after.ref
    parts: list[RenderableType] = []
    if found.same_rows:
        rows = [
            (
                each.name,
                f"{each.difference.value:+.4f}",
                f"{each.difference.lower:+.4f} … {each.difference.upper:+.4f}",
                each.rows,
                each.days,
                each.held_out_by,
            )
            for each in found.same_rows
        ]
        level = found.same_rows[0].difference.level
        columns = ["metric", f"{after} better by#", f"{level:.0%} interval", "rows#", "days#", "held out by"]
        parts.append(table(columns, rows, title="On the same rows"))
        parts.append(Text(f"assumed: {found.same_rows[0].difference.assumption}", style="dim"))
    elif found.not_compared:
        parts.append(Text(found.not_compared, style="yellow"))
    for title, changed in (
        ("Own evidence", found.metrics),
        ("Params", found.params),
        ("Data", found.data),
        ("Code and environment", found.environment),
        ("Packages", found.packages),
        ("Signature", found.signature),
        ("Evidence", found.evidence),
        ("Size", (found.size,) if found.size.before != found.size.after else ()),
    ):
        if changed:
            rows_ = [(each.name, _shown(each.before), _shown(each.after)) for each in changed]
            parts.append(table(["", before, after], rows_, title=title))
    parts.append(_callers(found))
    return Group(*parts)


def _callers(found: VersionComparison) -> RenderableType:
    if found.compatible is None:
        return Text("a signature is not known: whether callers can change over is not known", style="yellow")
    if found.compatible:
        return Text(f"whoever calls {found.before.ref} can call {found.after.ref}", style="green")
    return Text(f"callers would break: {'; '.join(found.breaks)}", style="red")


def _policy(found: Judgement) -> str:
    policy = found.policy
    if policy is None:
        return "none guards this alias in mlwright.toml: it moves freely"
    return f"[[promotion]] of {policy.model} ({policy.fingerprint})"


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    text = str(value) if isinstance(value, str) else value
    return f"{text[:24]}…" if isinstance(text, str) and text.startswith("blake3:") else text
