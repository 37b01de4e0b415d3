"""What a request asks for, parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from mlwright.errors import BadRequest, near_match
from mlwright.model.windows import Window

S = TypeVar("S", bound="Body")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object with known fields; an unknown one is a mistake and is refused."""


class Deploy(Body, frozen=True):
    """``ref``: a model version; without it the one that the endpoint's alias points to."""

    ref: str | None = None


class Alias(Body, frozen=True):
    """``alias``: the name to move to the version; ``override``: why, although a gate does not pass."""

    alias: str = "champion"
    override: str | None = None


class Approve(Body, frozen=True):
    """``role``: in which the actor approves; ``withdraw``: no longer."""

    role: str
    reason: str = ""
    withdraw: bool = False


class Challenge(Body, frozen=True):
    """``challenger``: a model version."""

    challenger: str


class Reason(Body, frozen=True):
    """``reason``: why; it is written down."""

    reason: str = "asked for over HTTP"


class Retrain(Body, frozen=True):
    """``if_due``: only where a trigger asks for it and nothing forbids it now."""

    reason: str = "asked for over HTTP"
    if_due: bool = False


class Diagnose(Body, frozen=True):
    """``since`` and ``until`` bound the window that is judged; without them the monitor's own counts."""

    since: datetime | None = None
    until: datetime | None = None


class Who(Body, frozen=True):
    """``who``: the person that looks after it; without it the user who started the process."""

    who: str | None = None


class Silencing(Body, frozen=True):
    """``span``: for how long, such as ``2h``; ``rule``: only that one's alerts, ``*`` stands for anything."""

    span: str
    why: str
    who: str | None = None
    rule: str | None = None


class Nothing(Body, frozen=True):
    """No fields."""


class Run(Body, frozen=True):
    """``params`` by name; text that reads as a date, number or boolean is turned into one."""

    params: dict[str, object] = {}
    tags: dict[str, str] = {}


class View(Body, frozen=True):
    """``view``: a feature view; without it all."""

    view: str | None = None


class Dataset(Body, frozen=True):
    """No fields: all data sets are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parts of one request: path and query by name, and the bytes of the body."""

    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def ref(self) -> str:
        """The model version that the path names."""
        return f"{self.path['name']}/{self.path['version']}"

    def limit(self, usual: int) -> int:
        """How many are asked for, at least 1.

        Raises:
            BadRequest: ``limit`` is not a whole number above 0.
        """
        text = self.query.get("limit")
        if text is None:
            return usual
        if not text.isdecimal() or int(text) < 1:
            raise BadRequest(f"limit must be a whole number above 0, not {text!r}", where="?limit")
        return int(text)

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """The value of a query parameter with known values; the first of them where it is not given.

        Raises:
            BadRequest: it has another value; the nearest is suggested.
        """
        text = self.query.get(name, known[0])
        if text not in known:
            near = near_match(text, known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise BadRequest(f"{name} is one of {', '.join(known)}, not {text!r}{hint}", where=f"?{name}")
        return text

    def window(self) -> Window | None:
        """The window from ``from`` to ``to`` (ISO 8601; UTC where no zone is said), or None without both.

        Raises:
            BadRequest: one is missing, is not an instant, or the end is not after the start.
        """
        if not {"from", "to"} & self.query.keys():
            return None
        start, end = self._instant("from"), self._instant("to")
        if end <= start:
            raise BadRequest("a window ends after it starts", where="?from, ?to")
        return Window(start=start, end=end)

    def parse(self, kind: type[S]) -> S:
        """The body as a value; no body is an empty object.

        Raises:
            BadRequest: it is not JSON, or does not have the form.
        """
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except msgspec.DecodeError as error:
            raise BadRequest("the body cannot be used", where="body", why=str(error)) from error

    def _instant(self, name: str) -> datetime:
        try:
            at = datetime.fromisoformat(self.query[name])
        except (KeyError, ValueError) as error:
            raise BadRequest(f"{name} must be an instant such as 2025-04-01", where=f"?{name}") from error
        return at if at.tzinfo else at.replace(tzinfo=UTC)
