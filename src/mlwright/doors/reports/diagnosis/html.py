"""A diagnosis as one HTML file: nothing is fetched and nothing runs; whatever the tables hold is only text."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlwright import __version__
from mlwright.doors.reports.diagnosis import plots, words
from mlwright.doors.web.words import coded
from mlwright.model.diagnosis import Diagnosis

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


def diagnosis_html(found: Diagnosis) -> str:
    """The page as text; the same diagnosis gives the same text."""
    page = _ENVIRONMENT.get_template("diagnosis.html").render(
        found=found, **diagnosis_parts(found), version=__version__
    )
    return page + "\n"


def diagnosis_parts(found: Diagnosis) -> dict[str, object]:
    """What the body of the report is made of, for the pages of the platform too."""
    return {
        "words": words,
        "losses": plots.loss_chart(found),
        "shares": plots.share_bars(found),
        "slices": plots.slice_bars(found),
    }


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["coded"] = coded
