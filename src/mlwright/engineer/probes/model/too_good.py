"""Is a figure too good to be true?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.scores import BOUNDED, recorded, stated
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity

_PERFECT = 0.995
# Known to be that easy.
_EASY = ("mnist", "iris", "mushroom", "wine dataset", "breast cancer", "breast_cancer", "digits", "banknote")


def look(repository: Repository) -> Answer:
    """Read the figures in files of metrics, READMEs and model cards."""
    found = [each for each in (*recorded(repository), *stated(repository)) if each.name in BOUNDED]
    if not found:
        return no_question("no accuracy, AUC, F1 or R² is recorded in a document or a metrics file")
    high = [each for each in found if each.value >= _PERFECT]
    places = [each.at for each in high or found][:SHOWN]
    values = {"figures": len(found), "too_good": len(high)}
    if not high:
        best = max(found, key=lambda each: (each.value, each.name))
        said = f"{counted(len(found), 'figure')} recorded, the highest is {best.name} {best.written}"
        return yes(said, *places, **values)
    said = f"{high[0].name} of {high[0].written} at {high[0].at}"
    texts = " ".join(each.content[:20_000].lower() for each in repository.texts)
    if only_bundled(repository) or any(word in texts for word in _EASY):
        return unknown(f"{said}: plausible for an easy public data set", *places, **values)
    return no(f"{said}: a suspicion, no proof; most such figures are a leak", *places, **values)


PROBE = Probe(
    id="model.too_good",
    title="no recorded metric is too good to be true",
    why="A score near perfect mostly means that the answer was among the inputs, and it will not be there tomorrow.",
    remedy="look at the most important feature, at rows in both parts of the split, at what is fitted before it",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="Kapoor & Narayanan 2023, Leakage and the Reproducibility Crisis in ML-based Science; Kaufman et al. 2012",
)
