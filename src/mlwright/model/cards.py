"""The sections of a model card after Mitchell et al. (Model Cards for Model Reporting, FAT* 2019), in their order.

Each ends with what no machine can fill in; the texts are the same in every card that mlwright writes.
"""

from typing import Final

DETAILS: Final = "Model details"
USE: Final = "Intended use"
FACTORS: Final = "Factors"
METRICS: Final = "Metrics"
EVALUATION: Final = "Evaluation set"
TRAINING: Final = "Training set"
ANALYSES: Final = "Quantitative analyses"
ETHICS: Final = "Ethical considerations"
CAVEATS: Final = "Caveats and recommendations"

JUDGEMENTS: Final = {
    DETAILS: "who made it, when, version, licence, whom to ask",
    USE: "what it is for, for whom, and what it must not be used for",
    FACTORS: "groups, instruments and environments for which it may work differently",
    METRICS: "why these measures and thresholds, and their uncertainty",
    EVALUATION: "on which rows it was evaluated, why those, and how they were prepared",
    TRAINING: "the source, the time range, and how labels were made",
    ANALYSES: "results for each factor, and for their combinations",
    ETHICS: "risks and harms to people, and what was done about them",
    CAVEATS: "what was not tested, and what a user should check first",
}
"""What only people know, by section."""


def todo(what: str) -> str:
    """A line that asks the owner of the model to write something.

    >>> todo("the licence")
    'TODO(owner): the licence.'
    """
    return f"TODO(owner): {what}."
