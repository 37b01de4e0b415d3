"""The pages of diagnoses: those that were made, and each as a whole."""

from collections.abc import Sequence

from mlwright.doors.http.control.calls import Control
from mlwright.doors.reports.diagnosis.html import diagnosis_parts
from mlwright.doors.reports.diagnosis.words import tone
from mlwright.doors.web.address import Query
from mlwright.doors.web.paper import render
from mlwright.doors.web.waiting import Asking
from mlwright.errors import NotFound

_SHOWN = 50
_KNOWN = 1000


def diagnoses_page(control: Control, query: Query, path: dict[str, str], waiting: Sequence[Asking]) -> str:
    """All diagnoses, or those of one endpoint by ``?endpoint=``, the latest first; and those that are asked for.

    Raises:
        NotFound: there is no such endpoint; the nearest is suggested.
    """
    platform = control.platform
    endpoint = platform.parts.endpoint(query.one("endpoint")).name if query.one("endpoint") else None
    named = platform.parts.settings.endpoints
    return render(
        "diagnoses.html",
        here="/diagnoses",
        made=platform.diagnosing.diagnoses(endpoint, limit=_SHOWN),
        endpoint=endpoint,
        names=[each.name for each in named],
        judged=[each.name for each in named if each.label is not None and endpoint in (None, each.name)],
        waiting=waiting,
        doing=control.turns.status.doing,
        tone_of=tone,
        shown=_SHOWN,
    )


def diagnosis_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """One diagnosis, with every test and its drawings.

    Raises:
        NotFound: there is none of this id; the nearest is suggested.
    """
    made = control.platform.diagnosing.diagnoses(limit=_KNOWN)
    kept = next((each for each in made if each.id == path["diagnosis"]), None)
    if kept is None:
        raise NotFound.named(
            "diagnosis", path["diagnosis"], (each.id for each in made), "mlwright diagnose --help"
        )
    others = [each for each in made if each.endpoint == kept.endpoint]
    at = others.index(kept)
    return render(
        "diagnosis_page.html",
        here="/diagnoses",
        kept=kept,
        found=kept.diagnosis,
        newer=others[at - 1] if at else None,
        older=others[at + 1] if at + 1 < len(others) else None,
        **diagnosis_parts(kept.diagnosis),
    )
