"""What a form of a page sends, turned into the same call that the JSON interface has."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from mlwright.doors.http.control.asked import Asked
from mlwright.errors import BadRequest

_MOST_BYTES: Final = 16 << 10
_BACK: Final = "back"
_PLACES: Final = ("/", "/alerts", "/views/engineering", "/monitor", "/diagnoses")
"""Pages that a form may come back to: nobody is sent to an address that a request names freely."""


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form by name; of several with one name the last.

    Raises:
        BadRequest: it is too large, or cannot be read as a form.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise BadRequest(f"the form is larger than {_MOST_BYTES >> 10} KiB", where="body")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as error:
        raise BadRequest("the form cannot be read", where="body", why=str(error)) from error


def asked(request: Request, fields: Mapping[str, str]) -> Asked:
    """A form as the call that it stands for: what is empty is not given."""
    given = {name: value for name, value in fields.items() if value.strip() and name != _BACK}
    path = {name: str(value) for name, value in request.path_params.items()}
    return Asked(path=path, query={}, body=msgspec.json.encode(given))


def way_back(fields: Mapping[str, str], usual: str) -> str:
    """Where the reader came from, if that is a page of ours, else the usual place."""
    wanted = fields.get(_BACK, "")
    path = wanted.partition("#")[0]
    return wanted if path in _PLACES and "\\" not in wanted else usual
