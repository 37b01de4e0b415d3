"""How far the slices and variants of what an endpoint served have moved from their references."""

from dataclasses import dataclass

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import FeatureDrift
from mlwright.model.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDrift:
    """One slice (``column=value``) against the held-out rows of it, or one variant against all held-out rows.

    ``column=(other)`` are the values that are too rare among the held-out rows to have counts of their own.
    """

    part: str
    rows: int
    reference_rows: int
    features: tuple[FeatureDrift, ...]
    judged: int = 0
    """Columns that have enough rows on either side."""
    moved: int = 0
    """Of these, how many have moved; of reports that are kept some may not be among ``features``."""
    note: str = ""
    """What has to be known to read it, as why nothing is judged."""
    assumption: str = ""
    """What its limits rest on."""

    @property
    def moved_features(self) -> tuple[FeatureDrift, ...]:
        """Those that moved, the furthest first."""
        found = [each for each in self.features if each.moved]
        return tuple(sorted(found, key=lambda each: (-(each.score or float("inf")), each.column)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftByPart:
    """Drift of all slices and variants in one window; the false-discovery rate is controlled over all of them.

    Context like all drift, never a reason for an alert.
    """

    endpoint: EndpointName
    model_version: str
    """Whose held-out rows are the reference."""
    window: Window
    reference: Window
    parts: tuple[PartDrift, ...]

    def most_drifted(self, most: int) -> tuple[str, ...]:
        """The columns that moved in most parts, then those that came nearest to it."""
        found: dict[str, list[tuple[bool, float]]] = {}
        for part in self.parts:
            for each in part.features:
                if each.threshold is not None:
                    score = float("inf") if each.score is None else each.score
                    found.setdefault(each.column, []).append((each.moved, score))
        order = sorted(
            found,
            key=lambda name: (
                -sum(moved for moved, _ in found[name]),
                -max(score for _, score in found[name]),
                name,
            ),
        )
        return tuple(order[:most])
