"""How joint drift is drawn for people in the terminal."""

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.show import pairs, table
from mlwright.model.joint_drift import JointDrift

_SHOWN: Final = 10
_HISTORY: Final = 12


def jointly(found: Sequence[JointDrift], endpoint: str) -> RenderableType:
    """The latest comparison in full, and those before it a line each.

    Args:
        found: oldest first; of none it is said how to get one.
        endpoint: for the commands that are named.
    """
    if not found:
        return Text(
            "jointly: no week has been compared yet; "
            f"next: mlwright monitor {endpoint} --drift --joint compares the last one now",
            style="dim",
        )
    last = found[-1]
    parts: list[RenderableType] = [_latest(last)]
    ranked = [each for each in last.columns if each.importance is not None]
    if ranked:
        rows = [(each.column, each.importance) for each in ranked[:_SHOWN]]
        more = f", the first {_SHOWN} of {len(ranked)}" if len(ranked) > _SHOWN else ""
        title = f"by what tells them apart: area lost without the column{more}"
        parts.append(table(["feature", "importance#"], rows, title=title))
    alone = [(each.column, each.alone) for each in last.columns if each.alone is not None]
    if alone:
        parts.append(table(["embedding or text", "AUC by it alone"], alone))
    left = [f"not asked: {each.column}: {each.left_out}" for each in last.columns if each.left_out]
    parts += [Text(each, style="dim") for each in left[:_SHOWN]]
    if len(found) > 1:
        weeks = [(each.window.start, each.window.end, each.rows, each.auc, each.mmd_p) for each in found]
        columns = ["from", "to", "rows#", "AUC of served against held out", "MMD p#"]
        parts.append(table(columns, weeks[-_HISTORY:], title="jointly, over time"))
    return Group(*parts)


def _latest(last: JointDrift) -> RenderableType:
    head = Text(f"jointly in {last.window} against {last.reference} ({last.version})", style="bold")
    about: dict[str, object] = {
        "rows": f"{last.rows:,} served, {last.reference_rows:,} held out"
        + (f"; {last.taken[1]:,} and {last.taken[0]:,} taken" if any(last.taken) else ""),
        "not compared": last.note,
        "AUC of served against held out": last.auc,
        "of the end of the reference against its beginning": last.usual,
    }
    if last.auc is not None:
        about["interval"] = f"{last.auc.level:.0%}: {last.auc.assumption}; 0.5 is alike, 1 apart"
    if last.mmd is not None:
        about["MMD²"] = f"{last.mmd:.4g}" + (f", p {last.mmd_p:.3f}" if last.mmd_p is not None else "")
    about["this is"] = "context: rows differ, which says nothing of harm, and wakes nobody"
    return Group(head, pairs(about))
