"""Completeness of the model card and of the data sheet: one item for each section of the paper."""

from typing import Final

from mlwright.engineer.probe import When
from mlwright.engineer.rubrics.scales import count
from mlwright.engineer.rubrics.shape import Chapter, Check, Rubric, check
from mlwright.model.findings import Rung

CARD_SECTIONS: Final = {
    "details": "model details: who made it, when, which version, which kind",
    "intended_use": "intended use, users, and uses out of scope",
    "factors": "factors: groups, instruments, environments that matter",
    "metrics": "metrics, thresholds, and why these",
    "evaluation_data": "evaluation data, and why it",
    "training_data": "training data, or why it cannot be shown",
    "quantitative_analyses": "quantitative analyses, per factor and combined",
    "ethical_considerations": "ethical considerations",
    "caveats": "caveats and recommendations",
}
SHEET_SECTIONS: Final = {
    "motivation": "motivation: who made the data set, what for",
    "composition": "composition: what the rows are, what is missing, what is sensitive",
    "collection": "collection: how, by whom, over which time",
    "preprocessing": "preprocessing, cleaning, labelling",
    "uses": "uses, and uses to avoid",
    "distribution": "distribution and licence",
    "maintenance": "maintenance: who to ask, how it is updated",
}


def _written(probe: str, part: str, title: str) -> Check:
    return check(part, title, f"write the section: {title}", declared=f"{probe}:{part}", whole=Rung.DECLARED)


MODEL_CARD: Final = Rubric(
    id="model-card",
    title="Model card",
    source="Mitchell et al.: Model Cards for Model Reporting, FAT* 2019",
    chapters=(
        Chapter(
            title="Sections",
            checks=tuple(
                _written("model.card_complete", part, title) for part, title in CARD_SECTIONS.items()
            ),
        ),
    ),
    read=count,
    when=When.TRAINS,
    note="Whether a section is there, not whether it is right; model.card_agrees compares it with facts.",
)

DATASHEET: Final = Rubric(
    id="datasheet",
    title="Data sheet",
    source="Gebru et al.: Datasheets for Datasets, Communications of the ACM 64(12), 2021",
    chapters=(
        Chapter(
            title="Sections",
            checks=tuple(
                _written("data.datasheet_complete", part, title) for part, title in SHEET_SECTIONS.items()
            ),
        ),
    ),
    read=count,
    when=When.TRAINS,
    note="Whether a section is there, not whether it is right.",
)
