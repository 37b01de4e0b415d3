"""The templates and what they may use; light, so that the tracking process can draw pages too."""

from pathlib import Path
from typing import Final

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from mlwright import __version__
from mlwright.doors.web import sizes
from mlwright.doors.web.lineage import branches
from mlwright.doors.web.plots import classes_of
from mlwright.doors.web.words import FILTERS
from mlwright.errors import MlwrightError

HERE: Final = Path(__file__).parent

TEMPLATES: Final = Environment(
    # The body of a diagnosis is that of its file.
    loader=ChoiceLoader(
        [FileSystemLoader(HERE / "templates"), FileSystemLoader(HERE.parent / "reports" / "templates")]
    ),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(FILTERS)
TEMPLATES.filters.update(sizes.FILTERS)
TEMPLATES.globals.update(mlwright=__version__, branches=branches, classes_of=classes_of)


def render(template: str, **values: object) -> str:
    """A page as text."""
    return TEMPLATES.get_template(template).render(**values)


def page(text: str, status: int = 200) -> Response:
    """A page as an answer that nobody keeps."""
    return HTMLResponse(text, status, headers={"cache-control": "no-store"})


def refused_page(error: MlwrightError, status: int) -> Response:
    """An error for somebody who looks at it in a browser."""
    return HTMLResponse(render("refused.html", error=error, status=status), status)
