"""Whatever the platform can do, the command line can do, or a written reason says why not."""

import ast
import inspect
from pathlib import Path

import pytest

from mlwright.doors.cli import commands
from mlwright.doors.cli.main import COMMANDS
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.checking import CheckJourney
from mlwright.platform.data import DataJourney
from mlwright.platform.diagnosing import DiagnoseJourney
from mlwright.platform.dossiers import DossierJourney
from mlwright.platform.drifting import DriftJourney
from mlwright.platform.facade import Platform
from mlwright.platform.imaging import ImagingJourney
from mlwright.platform.objectives import ObjectiveJourney
from mlwright.platform.optimizing import OptimizeJourney
from mlwright.platform.profiling import ProfileJourney
from mlwright.platform.records import RecordsJourney
from mlwright.platform.releases import ReleaseJourney
from mlwright.platform.retraining import RetrainJourney
from mlwright.platform.rolling import RolloutJourney
from mlwright.platform.scoring import ScoringJourney
from mlwright.platform.shifting import JointDriftJourney
from mlwright.platform.training import TrainingJourney
from mlwright.platform.watching import WatchJourney

JOURNEYS = {
    "data": DataJourney,
    "training": TrainingJourney,
    "releases": ReleaseJourney,
    "dossiers": DossierJourney,
    "rollouts": RolloutJourney,
    "scoring": ScoringJourney,
    "watch": WatchJourney,
    "alerting": AlertJourney,
    "drifting": DriftJourney,
    "shifting": JointDriftJourney,
    "objectives": ObjectiveJourney,
    "diagnosing": DiagnoseJourney,
    "checking": CheckJourney,
    "retraining": RetrainJourney,
    "records": RecordsJourney,
    "imaging": ImagingJourney,
    "optimizing": OptimizeJourney,
    "profiling": ProfileJourney,
}

REACHED = {
    "tick": "tick",
    "data.check": "check",
    "data.materialize": "features",
    "training.pipelines": "run",
    "training.run": "run",
    "training.get": "runs",
    "training.list": "runs",
    "training.recover": "runs",
    "training.send": "runs",
    "releases.models": "models",
    "releases.version": "models",
    "releases.register": "models",
    "releases.promote": "models",
    "releases.judge": "models",
    "releases.approve": "models",
    "dossiers.evidence": "models",
    "dossiers.card": "models",
    "dossiers.bom": "models",
    "dossiers.compare": "models",
    "releases.deploy": "deploy",
    "releases.withdraw": "withdraw",
    "releases.endpoints": "endpoints",
    "releases.status": "endpoints",
    "rollouts.start": "rollout",
    "rollouts.advance": "rollout",
    "rollouts.abort": "rollout",
    "rollouts.list": "rollout",
    "scoring.score": "predict",
    "scoring.watch": "predict",
    "scoring.consume": "predict",
    "watch.watch": "monitor",
    "watch.window": "monitor",
    "drifting.look": "monitor",
    "watch.performance": "monitor",
    "watch.slices": "monitor",
    "watch.young": "monitor",
    "watch.maturity": "monitor",
    "watch.verdict": "monitor",
    "drifting.drift": "monitor",
    "drifting.between": "monitor",
    "drifting.by_part": "monitor",
    "shifting.kept": "monitor",
    "shifting.look": "monitor",
    "shifting.compare": "monitor",
    "checking.latest": "monitor",
    "checking.measure": "monitor",
    "diagnosing.diagnose": "diagnose",
    "diagnosing.diagnoses": "diagnose",
    "objectives.status": "slo",
    "objectives.look": "slo",
    "alerting.alerts": "alerts",
    "alerting.acknowledge": "alerts",
    "alerting.find": "alerts",
    "alerting.silence": "alerts",
    "alerting.silences": "alerts",
    "alerting.unsilence": "alerts",
    "alerting.troubles": "alerts",
    "alerting.try_channel": "alerts",
    "retraining.retrain": "retrain",
    "retraining.consider": "retrain",
    "imaging.engine": "build",
    "imaging.write": "build",
    "imaging.build": "build",
    "imaging.check": "build",
    "optimizing.optimize": "models optimize",
    "profiling.profile": "profile",
    "records.trace": "trace",
    "records.decisions": "decisions",
    "records.audit": "audit",
    "records.broken_audit_row": "audit",
    "records.export": "export",
    "records.monitoring": "export",
}

EXCUSED = {
    "data.load": "gives rows to other journeys; check shows what was found in them, export takes rows away",
    "data.forget": "frees what a process that lives long has read; a command ends and has nothing to forget",
    "data.examples": "is called by a pipeline while it runs, which the command run does",
    "releases.load": "gives a model in memory, which only a process that serves or judges can use",
    "releases.load_variant": "gives a model in memory, which only a process that serves can use",
    "profiling.latest": "gives a profile to code that sizes; models shows it with the other evidence of the version",
    "objectives.standing": "is what Prometheus reads at /metrics; slo and monitor show the same to people",
    "watch.lost": "is one part of a turn of the loop: tick does it, and alerts shows what it found",
    "alerting.act": "writes what rules decided inside the transaction of a look",
    "drifting.measure": "is one part of a look: monitor --update does it",
    "checking.look": "is one part of a turn of the loop: tick does it, and monitor --data shows what it found",
    "alerting.escalate": "is one part of a turn of the loop, before messages are sent: tick does it",
    "alerting.deliver": "is one part of a turn of the loop, and never right to do alone: tick does it",
}


ASIDE = {"models optimize": "optimizing"}
"""Commands of a group that stand in another module than the group."""


def public(owner: type) -> set[str]:
    functions = inspect.getmembers(owner, inspect.isfunction)
    return {name for name, _ in functions if not name.startswith("_")}


def facade() -> set[str]:
    methods = {f"{journey}.{name}" for journey, owner in JOURNEYS.items() for name in public(owner)}
    return methods | public(Platform)


def chains(path: Path) -> set[str]:
    """Dotted names that a module uses; a name bound to one stands for it: ``watch = door.platform.watch``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bound = {
        node.targets[0].id: ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Attribute)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            found.add(f"{bound.get(head, head)}.{rest}")
    return found


def test_the_journeys_are_all_here() -> None:
    source = inspect.getsource(Platform.__init__)
    for name, owner in JOURNEYS.items():
        assert f"self.{name} = {owner.__name__}(" in source
    assert source.count("self.") - source.count("(self") >= len(JOURNEYS)


def test_everything_is_reached_or_excused() -> None:
    assert not set(REACHED) & set(EXCUSED)
    assert facade() == set(REACHED) | set(EXCUSED)


def test_excuses_are_sentences() -> None:
    assert all(len(reason) >= 40 for reason in EXCUSED.values())


@pytest.mark.parametrize("method", REACHED)
def test_the_command_calls_it(method) -> None:
    command = REACHED[method]
    module = ASIDE.get(command) or COMMANDS[command].target.partition(":")[0].rpartition(".")[2]
    used = chains(Path(next(iter(commands.__path__))) / f"{module}.py")
    assert any(each.endswith(f"platform.{method}") for each in used), (
        f"{REACHED[method]} does not call {method}"
    )
