"""How drift of slices and variants is drawn for people: parts by the columns that moved most in any of them."""

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.show import pairs, table
from mlwright.model.monitoring import FeatureDrift
from mlwright.model.part_drift import DriftByPart, PartDrift

_COLUMNS: Final = 6


def parted(found: DriftByPart | None) -> RenderableType:
    """One row a part, one column each of the most drifted features; what limits rest on stands below."""
    if found is None:
        return Text(
            "drift of slices and variants: nothing was counted apart there; slices are named in [endpoint.monitor]"
        )
    names = found.most_drifted(_COLUMNS)
    rows = [
        (
            each.part,
            each.rows,
            each.reference_rows,
            f"{each.moved} of {each.judged}" if each.judged else None,
            *_cells(each, names),
        )
        for each in found.parts
    ]
    shown = table(
        ["part", "n#", "held out#", "moved#", *(f"{name}#" for name in names)],
        rows,
        title=f"drift of slices and variants in {found.window}: PSI of the columns that moved most",
    )
    return Group(shown, pairs(_said(found)))


def _cells(part: PartDrift, names: tuple[str, ...]) -> list[str | None]:
    known = {each.column: each for each in part.features}
    return [_cell(known.get(name)) for name in names]


def _cell(feature: FeatureDrift | None) -> str | None:
    if feature is None or feature.threshold is None:
        return None
    if not feature.moved:
        return f"{feature.psi:.3f}"
    return f"{feature.psi:.3f} {'moved' if feature.reason == 'psi' else feature.reason}"


def _said(found: DriftByPart) -> dict[str, object]:
    """What has to be known to read the table, each sentence once."""
    notes: dict[str, list[str]] = {}
    for part in found.parts:
        for said in filter(None, (part.assumption, part.note)):
            notes.setdefault(said, []).append(part.part)
    return {
        "all of them" if len(parts) == len(found.parts) else ", ".join(parts): said
        for said, parts in notes.items()
    }
