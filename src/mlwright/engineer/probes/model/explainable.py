"""Can one answer of the model be explained?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.learning import SIMPLE, importing, kinds, matching, ours, training
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity

_PACKAGES: Final = (
    "shap", "lime", "captum", "eli5", "alibi.explainers", "alibi", "interpret", "dalex", "dice_ml", "anchor", "omnixai",
    "tf_explain", "pytorch_grad_cam", "innvestigate", "zennit", "quantus", "fasttreeshap", "shapash",
    "explainerdashboard", "transformers_interpret", "bertviz", "torchcam", "mlwright", "saliency",
)  # fmt: skip
_NAMED: Final = (
    r"(\w*_)?(explain|explainer|explanations?|shap_values?|pred_contribs?|pred_contrib|reason_codes?|grad_?cam|saliency_map"
    r"|counterfactuals?|attributions?|treeinterpreter|waterfall_plot|lime_tabular|attention_maps?)(_\w+)?"
)


def look(repository: Repository) -> Answer:
    """Look for explanations of single answers; what a feature is worth over all rows is another thing."""
    files = ours(repository)
    found = importing(files, *_PACKAGES) or matching(files, _NAMED)
    if found:
        return yes(f"{found[0][0]} explains one answer", *[place for _, place in found][:SHOWN])
    fitted = kinds(training(repository))
    if fitted and fitted <= SIMPLE:
        return unknown(f"{listed(fitted)} could be read by hand; nothing shows that anybody does")
    return no("nothing explains one answer: no SHAP, LIME or Captum, no contributions, no trace of a request")


PROBE = Probe(
    id="model.explainable",
    title="one prediction can be explained and replayed",
    why="When a customer asks why, or a prediction is absurd, somebody must be able to look at that one row.",
    remedy="add a script that takes a request's id, loads its inputs and prints shap.Explainer(model)(row)",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    source="ML Test Score (Breck et al. 2017), Infrastructure 5; EU AI Act Art. 86",
)
