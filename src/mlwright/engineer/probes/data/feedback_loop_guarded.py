"""Does the model learn from rows that it chose itself?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import training_files
from mlwright.engineer.vocabulary.sources import TABLE_READERS, literal
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_GUARDS = frozenset(
    "propensity propensities inverse_propensity exploration explore_rate epsilon_greedy thompson_sampling bandit "
    "contextual_bandit control_group holdout_traffic global_holdout exploration_rate ips_weight logging_policy".split()
)
_PACKAGES = ("vowpalwabbit", "obp", "mabwiser", "contextualbandits", "causalml", "econml")
_OWN_LOG = re.compile(
    r"(^|[/_.\s])(predictions?|recommendations?|impressions?|served|scored)(_?(logs?|history|events?))", re.I
)


def look(repository: Repository) -> Answer:
    """Look for traffic that the model does not decide; training on the log of its own answers without is a fault."""
    guards = [
        Location(path=each.path) for each in repository.production if not _GUARDS.isdisjoint(each.words)
    ]
    guards += repository.importing(*_PACKAGES)
    if guards:
        return yes("some traffic is kept out of the model's hands", *guards[:SHOWN])
    paths = {each.path for each in training_files(repository)}
    loops = [
        (file, call)
        for file, call in repository.calls(*TABLE_READERS)
        if file.path in paths and _OWN_LOG.search(literal(call))
    ]
    if loops:
        return no(
            f"training reads the log of earlier answers (“{literal(loops[0][1])[:60]}”) at "
            f"{counted(len(loops), 'place')}, and nothing is explored, held out or weighted",
            *[file.at(call) for file, call in loops][:SHOWN],
            reads=len(loops),
        )
    return unknown("whether answers of the model decide which labels come back cannot be read from files")


PROBE = Probe(
    id="data.feedback_loop_guarded",
    title="the model does not only learn from rows that it chose itself",
    why="Who is refused a loan never repays one: the model confirms itself, and nobody sees what it misses.",
    remedy="leave a small random share to chance or to a rule, log its propensity, and weight by it in training",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Sculley et al. 2015, direct and hidden feedback loops; Google Rules of ML, rule 36",
)
