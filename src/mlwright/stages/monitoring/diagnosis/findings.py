"""Everything that the links found, as the verdict reads it."""

from dataclasses import dataclass

from mlwright.model.diagnosis import Cause
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.changed import Changes
from mlwright.stages.monitoring.diagnosis.feedback import FeedbackLoop
from mlwright.stages.monitoring.diagnosis.integrity import Integrity
from mlwright.stages.monitoring.diagnosis.labelling import Labelling
from mlwright.stages.monitoring.diagnosis.mixture import Mixture
from mlwright.stages.monitoring.diagnosis.priors import LabelShift
from mlwright.stages.monitoring.diagnosis.reality import Reality
from mlwright.stages.monitoring.diagnosis.refit import Refit
from mlwright.stages.monitoring.diagnosis.replay import Replay
from mlwright.stages.monitoring.diagnosis.skew import Skew
from mlwright.stages.monitoring.diagnosis.slices import Slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A defect that was repaired: how much of the drop went away with it, after what was repaired before it.

    ``proven`` is False where a defect is likely but could be something else as well.
    """

    cause: Cause
    share: Estimate
    text: str
    proven: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The results of all links. None: the link was not asked, because nothing was left for it to explain.

    ``rest`` is the share of the drop that is left after ``repairs``; ``rest_proven`` whether it is more than chance.
    ``ranking_lost`` says that the score tells the classes apart less well than before, which no label shift does.
    """

    reality: Reality
    labelling: Labelling
    changes: Changes
    replay: Replay
    skew: Skew
    integrity: Integrity
    repairs: tuple[Repair, ...] = ()
    rest: Estimate | None = None
    rest_proven: bool = True
    mixture: Mixture | None = None
    shift: LabelShift | None = None
    refit: Refit | None = None
    slices: Slices | None = None
    loop: FeedbackLoop | None = None
    ranking_lost: bool = False
    has_copy: bool = False
