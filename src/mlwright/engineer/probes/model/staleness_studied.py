"""Is it known how fast the model goes off?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import matching, ours, said, tabular
from mlwright.engineer.vocabulary.sections import sections
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_WORDS: Final = frozenset(
    "timeseriessplit walk_forward rolling_origin expanding_window historical_forecasts expandingwindowsplitter "
    "slidingwindowsplitter walk_forward_validation rolling_forecast prequential model_decay performance_decay "
    "progressive_val_score groupedtimeseriessplit purgedkfold blockingtimeseriessplit temporal_cv".split()
)


def look(repository: Repository) -> Answer:
    """Look for a backtest: models of earlier times asked about later data."""
    files = ours(repository)
    found = said(files, _WORDS) or matching(files, r"\w*(backtest|staleness)\w*")
    found = found or list(
        signs(repository, files=("*backtest*.py", "*backtest*.ipynb", "*staleness*", "*walk_forward*"))
    )
    if found:
        return yes(
            f"{found[0][0]} asks earlier models about later data", *[place for _, place in found][:SHOWN]
        )
    written = sections(repository, r".*\b(staleness|model decay|back-?test\w*|walk[- ]forward)\b.*")
    if written:
        return yes(f'written down under "{written[0].title}"', *[each.at for each in written][:SHOWN])
    if only_bundled(repository):
        return no_question("the data is a public set that does not move with time")
    if not tabular(repository):
        return unknown("whether the world of these images, texts or sounds moves with time cannot be told")
    return no("no backtest and no study of how quality falls with the age of a model")


PROBE = Probe(
    id="model.staleness_studied",
    title="how quality falls with the model's age is known",
    why="Whether to retrain each week or each year is a guess until models of last year were asked about this year.",
    remedy="train on data up to t-1, t-3, t-6 and t-12 months, score all on the newest month, and keep the curve",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    source="ML Test Score (Breck et al. 2017), Model 4",
)
