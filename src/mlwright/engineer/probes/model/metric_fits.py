"""Is a classifier judged by more than the share of right answers?"""

from functools import lru_cache
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import (
    CLASSIFIERS,
    WRAPPERS,
    kind,
    models,
    ours,
    said,
    training,
)
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_BEYOND: Final = frozenset(
    "f1_score f1 f1_macro f1_weighted f1_micro precision_score recall_score precision recall roc_auc_score roc_auc auc "
    "log_loss logloss neg_log_loss confusion_matrix classification_report brier_score_loss matthews_corrcoef mcc "
    "cohen_kappa_score balanced_accuracy_score balanced_accuracy average_precision_score average_precision roc_curve "
    "precision_recall_curve precision_recall_fscore_support fbeta_score confusionmatrixdisplay hamming_loss "
    "jaccard_score top_k_accuracy_score ndcg_score plot_confusion_matrix plot_roc_curve roccurvedisplay auroc f1score "
    "classificationreport mlwright crosstab class_likelihood_ratios geometric_mean_score g_mean".split()
)
_ACCURACY: Final = frozenset(("accuracy_score", "accuracy"))


@lru_cache(maxsize=10_000)
def _is_classifier(name: str) -> bool:
    return CLASSIFIERS.fullmatch(name) is not None


def look(repository: Repository) -> Answer:
    """Look for any metric beside accuracy in the whole repository, once a classifier is fitted."""
    trained = training(repository)
    fitting = {file.path for file, _ in models(trained)}
    made = [
        call for file in trained if file.path in fitting for call in file.calls if _is_classifier(call.name)
    ]
    if not made:
        return no_question("no classifier with fit(X, y) is seen")
    files = ours(repository)
    found = said(files, _BEYOND)
    if found:
        return yes(f"{found[0][0]} beside or instead of accuracy", *[place for _, place in found][:SHOWN])
    scored = [
        file.at(call)
        for file in files
        for call in file.called("score")
        if (CLASSIFIERS.fullmatch(call.made_by) or kind(call) in WRAPPERS)
    ]
    places = [place for _, place in said(files, _ACCURACY)] + scored
    if not places:
        return unknown("no metric of the classifier is seen")
    if only_bundled(repository):
        return unknown(
            "accuracy alone, on a public data set whose classes may be of one size", *places[:SHOWN]
        )
    names = listed(call.method for call in made)
    return no(f"{names} is judged by accuracy alone", *places[:SHOWN], classifiers=len(made))


PROBE = Probe(
    id="model.metric_fits",
    title="a classifier is judged by more than accuracy",
    why="Where two of a hundred churn, the model that finds nobody is right in 98 % of the cases.",
    remedy="print classification_report(y_test, predicted) and roc_auc_score too; choose by what errors cost",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="scikit-learn user guide, Metrics and scoring; He & Garcia 2009, Learning from Imbalanced Data, section 4",
)
