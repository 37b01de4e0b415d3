"""The front door of everything below the doors: one object, one journey a subject."""

from dataclasses import dataclass

from mlwright.model.joint_drift import JointDrift
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import DriftReport
from mlwright.model.rollouts import Rollout
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.checking import CheckJourney
from mlwright.platform.data import DataJourney
from mlwright.platform.diagnosing import DiagnoseJourney
from mlwright.platform.dossiers import DossierJourney
from mlwright.platform.drifting import DriftJourney
from mlwright.platform.imaging import ImagingJourney
from mlwright.platform.objectives import ObjectiveJourney
from mlwright.platform.optimizing import OptimizeJourney
from mlwright.platform.parts import Parts
from mlwright.platform.profiling import ProfileJourney
from mlwright.platform.records import RecordsJourney
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.retraining import RetrainJourney
from mlwright.platform.rolling import RolloutJourney
from mlwright.platform.scoring import ScoringJourney
from mlwright.platform.shifting import JointDriftJourney
from mlwright.platform.training import TrainingJourney
from mlwright.platform.watching import Watched, WatchJourney


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one turn of the loop did at one endpoint."""

    endpoint: str
    watched: Watched
    rollout: Rollout | None
    decision: Decision | None
    drift: tuple[DriftReport, ...] = ()
    joint: tuple[JointDrift, ...] = ()


class Platform:
    """A project's journeys. Doors hold this and nothing else."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.data = DataJourney(parts)
        self.training = TrainingJourney(parts, self.data)
        self.releases = ReleaseJourney(parts)
        self.dossiers = DossierJourney(parts, self.releases)
        self.rollouts = RolloutJourney(parts, self.releases)
        self.scoring = ScoringJourney(parts, self.releases)
        self.alerting = AlertJourney(parts)
        self.objectives = ObjectiveJourney(parts, self.alerting)
        self.checking = CheckJourney(parts, self.data, self.alerting)
        self.drifting = DriftJourney(parts, self.releases)
        self.shifting = JointDriftJourney(parts, self.releases)
        self.watch = WatchJourney(parts, self.releases, self.alerting)
        self.retraining = RetrainJourney(parts, self.training, self.releases, self.rollouts)
        self.diagnosing = DiagnoseJourney(parts, self.releases, self.data)
        self.records = RecordsJourney(parts)
        self.optimizing = OptimizeJourney(parts, self.releases)
        self.imaging = ImagingJourney(parts, self.releases)
        self.profiling = ProfileJourney(parts, self.releases)

    def tick(self) -> tuple[Tick, ...]:
        """Turn the loop once: watch, judge the rollout, decide about retraining, tell people, tidy the log.

        Safe to call at any time and again after a crash: every stage keeps how far it came. The trouble of one endpoint
        does not keep the others from their turn; the first trouble is raised when all is done.
        """
        turns: list[Tick] = []
        troubles: list[Exception] = []
        for each in self.parts.settings.endpoints:
            try:
                self.watch.lost(each.name)
                self.checking.look(each.name)
                self.objectives.look(each.name)
                moved = self.drifting.look(each.name)
                if each.label is not None:  # of others nothing becomes known of their quality
                    turns.append(self._turn(each.name, moved))
                else:
                    self.shifting.look(each.name)
            except Exception as trouble:  # noqa: BLE001 - raised below
                troubles.append(trouble)
        self.alerting.escalate()
        self.alerting.deliver()
        self.parts.log.compact()
        if troubles:
            raise troubles[0]
        return tuple(turns)

    def _turn(self, endpoint: str, moved: tuple[DriftReport, ...]) -> Tick:
        return Tick(
            endpoint=endpoint,
            watched=self.watch.watch(endpoint),
            drift=moved,
            rollout=self.rollouts.advance(endpoint),
            decision=self.retraining.consider(endpoint),
            joint=self.shifting.look(endpoint),  # context, so it comes last
        )
