"""Is a NaN noticed?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import GRADIENT, ours, said, training
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity

_WORDS: Final = frozenset(
    "isnan isinf isfinite nan_to_num check_numerics clip_grad_norm_ clip_grad_norm clip_grad_value_ clipnorm clipvalue "
    "gradient_clip_val global_clipnorm terminateonnan detect_anomaly set_detect_anomaly max_grad_norm gradscaler "
    "clip_by_global_norm clip_by_value clip_by_norm assert_all_finite is_finite grad_clip clip_grad gradient_clipping "
    "enable_check_numerics terminate_on_nan clip_grads skip_nan apply_if_finite is_nan assert_finite".split()
)
_GUARDED: Final = ("transformers", "trl", "ultralytics", "setfit", "mlwright")
_KERAS: Final = ("fit", "fit_generator")


def look(repository: Repository) -> Answer:
    """Look for checks and clipping where models learn by gradients; other libraries refuse NaN by themselves."""
    found = said(ours(repository), _WORDS)
    if found:
        return yes(f"{found[0][0]} guards the numbers", *[place for _, place in found][:SHOWN])
    steps = [
        (file, call)
        for file in training(repository)
        if file.imports_any(*GRADIENT)
        for call in file.called("backward", "apply_gradients", "apply_updates")
        if call.method in ("backward", "apply_gradients") or call.name == "optax.apply_updates"
    ]
    if any(file.imports_any(*_GUARDED) for file in training(repository)):
        return yes("the trainer of the framework clips gradients or stops by itself")
    if not steps:
        fitted = any("keras" in call.made_by for f in training(repository) for call in f.called(*_KERAS))
        if fitted:
            return unknown(
                "Keras trains on after a NaN unless told otherwise; whether it ever came near one cannot be told"
            )
        return no_question(
            "no training loop of its own: libraries with fit refuse or handle NaN by themselves"
        )
    if only_bundled(repository):
        return no_question("a training loop on a public data set that is known to be clean")
    said_of = f"{counted(len(steps), 'training step')} without clipping or a check for NaN"
    return no(said_of, *[file.at(call) for file, call in steps][:SHOWN], steps=len(steps))


PROBE = Probe(
    id="model.numerics_guarded",
    title="NaN and exploding gradients are caught",
    why="One NaN in one batch turns every weight into NaN, and the run goes on to the morning as if nothing was.",
    remedy="if not torch.isfinite(loss): raise; torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before step()",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Monitoring 5",
)
