"""Does a training that breaks off begin again at zero?"""

from typing import Final

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import importing, matching, mentions_gpu, training, training_side
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_NAMED: Final = (
    r"(\w*_)?(checkpoint\w*|ckpts?|resume\w*)(_\w+)?|modelcheckpoint|backupandrestore|save_state|checkpointmanager"
    r"|(\w+_)?save_every|save_steps|save_strategy|save_best_only|last_epoch|start_epoch|snapshot_\w+|load_snapshot"
)
_THEIR_OWN: Final = (
    "transformers", "trl", "lightning", "pytorch_lightning", "ultralytics", "detectron2", "mmengine", "composer",
    "nemo", "fairseq", "setfit", "stable_baselines3", "mmdet", "fastai", "autogluon",
)  # fmt: skip
_FEW: Final = 3


def look(repository: Repository) -> Answer:
    """Look for loops over epochs, and for what keeps their state on the way."""
    loops = [(file, at) for file in training(repository) for at in _loops(file)]
    if not loops:
        framework = importing(training(repository), *_THEIR_OWN)
        if framework:
            name = framework[0][0].partition(".")[0]
            return yes(f"{name} writes checkpoints by itself", framework[0][1])
        return no_question("no training over epochs is seen")
    side = training_side(repository)
    found = matching(side, _NAMED)
    found += [
        ("torch.save in the loop", f.at(c))
        for f in side
        for c in f.calls
        if c.name == "torch.save" and c.looped
    ]
    if found:
        return yes(f"{found[0][0]} keeps the state on the way", *[place for _, place in found][:SHOWN])
    places = [at for _, at in loops][:SHOWN]
    if only_bundled(repository):
        return no_question("a training on a public data set of a few minutes")
    if not any(mentions_gpu(file) for file, _ in loops):
        return unknown(
            "nothing is kept on the way; whether the training is long cannot be told",
            *places,
        )
    return no("trains over epochs on a graphics card and keeps nothing before the end", *places)


def _loops(file: PythonFile) -> list[Location]:
    steps = [file.at(call) for call in file.called("backward", "apply_gradients") if call.looped]
    return steps + [
        file.at(call)
        for call in file.called("fit", "fit_generator")
        if (epochs := call.argument("epochs")) is not None
        and (not isinstance(epochs.value, int) or epochs.value >= _FEW)
    ]


PROBE = Probe(
    id="model.checkpoints",
    title="long training saves checkpoints and can resume",
    why="A machine that is taken away in hour nine costs nine hours, and again the next night.",
    remedy="torch.save model, optimizer and epoch each epoch, and --resume; BackupAndRestore in Keras",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="AWS Well-Architected Machine Learning Lens, MLCOST-18; Kreuzberger et al. 2023, principle 3",
)
