"""What can be read by address: whole reports, the catalogues of probes, rubrics and errors."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Final
from urllib.parse import unquote

import msgspec
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from mlwright.doors.mcp.looking import question
from mlwright.doors.mcp.markdown import markdown
from mlwright.doors.mcp.workplace import Workplace
from mlwright.doors.reports.html import html
from mlwright.doors.wire import to_json
from mlwright.engineer.rubrics.catalogue import RUBRICS
from mlwright.errors import MlwrightError, NotFound

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"


def add_resources(server: MCPServer, place: Workplace) -> None:
    """Give a server its resources."""
    _add_reports(server, Reports(place))
    _add_catalogues(server, place)


class Reports:
    """Whole reports, made when they are read."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def as_json(self, path: str = ".") -> str:
        """What ``mlwright assess --json`` writes."""
        standing, _ = self._place.look(self._place.folder(path))
        return _document(standing.assessment)

    def as_markdown(self, path: str = ".") -> str:
        """The report to be read."""
        standing, _ = self._place.look(self._place.folder(path))
        return markdown(standing)

    def as_html(self, path: str = ".") -> str:
        """What ``mlwright assess --html`` writes."""
        standing, _ = self._place.look(self._place.folder(path))
        return html(standing, self._place.engineer.probes)

    def review(self, path: str = ".") -> str:
        """What ``mlwright review --json`` writes, annotations applied."""
        return _document(self._place.review(self._place.path(path)).assessment)


def errors_catalogue() -> list[dict[str, object]]:
    """Every error that can be answered: its stable code, the exit code of the command line, and what it means."""
    return [
        {"code": each.__name__, "exit_code": each.exit_code, "means": (each.__doc__ or "").split("\n")[0]}
        for each in _errors(MlwrightError)
    ]


def _add_reports(server: MCPServer, reports: Reports) -> None:
    forms: tuple[tuple[str, str, str, Callable[..., str]], ...] = (
        ("report", JSON, "The whole assessment, as `mlwright assess --json` writes it.", reports.as_json),
        ("report.md", MARKDOWN, "The assessment to be read.", reports.as_markdown),
        ("report.html", HTML, "The assessment as one self-contained page.", reports.as_html),
        ("review", JSON, "The whole review, as `mlwright review --json` writes it.", reports.review),
    )
    for name, mime_type, description, read in forms:
        _add(
            server,
            f"mlwright://{name}",
            name,
            mime_type,
            f"{description} Of the server's root.",
            _whole(read),
        )
        _add(
            server,
            f"mlwright://{name}/{{+path}}",
            f"{name} of a path",
            mime_type,
            f"{description} Of a path below the server's root.",
            _of_path(read),
        )


def _add_catalogues(server: MCPServer, place: Workplace) -> None:
    def probes() -> str:
        return _document([question(each) for each in place.engineer.probes.values()])

    def probe(id: str) -> str:
        return _document(question(place.engineer.probe(id)))

    def rubrics() -> str:
        return _document([{"id": each.id, "title": each.title, "source": each.source} for each in RUBRICS])

    def errors() -> str:
        return _document(errors_catalogue())

    _add(server, "mlwright://probes", "probes", JSON, "Every question that an assessment asks.", probes)
    _add(server, "mlwright://probes/{id}", "probe", JSON, "One question: what, why, source.", probe)
    _add(
        server,
        "mlwright://rubrics",
        "rubrics",
        JSON,
        "The published rubrics that read the findings.",
        rubrics,
    )
    _add(server, "mlwright://errors", "errors", JSON, "Every error of mlwright with its code.", errors)


def _add(
    server: MCPServer, uri: str, name: str, mime_type: str, description: str, read: Callable[..., str]
) -> None:
    server.resource(uri, name=name, description=description, mime_type=mime_type)(_told(read))


def _whole(read: Callable[..., str]) -> Callable[[], str]:
    def whole() -> str:
        return read()

    return whole


def _of_path(read: Callable[..., str]) -> Callable[[str], str]:
    def of_path(path: str) -> str:
        return read(unquote(path) or ".")

    return of_path


def _told(read: Callable[..., str]) -> Callable[..., str]:
    """Errors of ours as errors of the protocol, in words."""

    @wraps(read)
    def call(*given: str, **named: str) -> str:
        try:
            return read(*given, **named)
        except NotFound as error:
            raise ResourceNotFoundError(str(error)) from error
        except MlwrightError as error:
            raise ResourceError(str(error)) from error

    return call


def _document(value: object) -> str:
    return msgspec.json.format(to_json(value), indent=1).decode()


def _errors(kind: type[MlwrightError]) -> Iterator[type[MlwrightError]]:
    yield kind
    for each in sorted(kind.__subclasses__(), key=lambda each: each.__name__):
        if each.__module__ == kind.__module__:
            yield from _errors(each)
