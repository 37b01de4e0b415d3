"""Does the graphics card give the same sums each time?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import mentions_gpu, ours, said, training
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_FLAGS: Final = frozenset(
    "use_deterministic_algorithms set_deterministic enable_op_determinism enable_full_determinism full_determinism "
    "tf_deterministic_ops cublas_workspace_config set_deterministic_debug_mode deterministic cudnn_deterministic "
    "deterministic_mode".split()
)
_OWN: Final = ("transformers", "lightning", "pytorch_lightning", "ultralytics", "detectron2", "fastai")


def look(repository: Repository) -> Answer:
    """Look for the switches, where PyTorch or TensorFlow trains on a graphics card."""
    files = [each for each in training(repository) if each.imports_any("torch", "tensorflow", "keras")]
    on_card = [each for each in files if mentions_gpu(each)]
    if not on_card:
        return no_question("no training by PyTorch or TensorFlow on a graphics card is seen")
    found = said(ours(repository), _FLAGS)
    if found:
        return yes(f"{found[0][0]} is set", *[place for _, place in found][:SHOWN])
    places = [Location(path=each.path) for each in on_card][:SHOWN]
    if any(each.imports_any(*_OWN) for each in on_card):
        return unknown("the framework may be told on its command line or in settings", *places)
    return no("training on a graphics card with no flag that makes it deterministic", *places)


PROBE = Probe(
    id="model.deterministic",
    title="training on a graphics card is told to be deterministic",
    why="Atomic sums come in another order each time: with all seeds set, two runs still differ in the third digit.",
    remedy="torch.use_deterministic_algorithms(True), or tf.config.experimental.enable_op_determinism()",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="PyTorch documentation, Reproducibility; TensorFlow documentation, enable_op_determinism",
)
