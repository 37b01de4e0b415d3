"""Finding the lines of a text that may hold a secret, and asking the rules about them."""

from collections.abc import Iterator
from typing import Final

from mlwright.adapters.scanners.reading import not_read
from mlwright.adapters.scanners.secret_rules import (
    ADDRESS,
    KEYWORDS,
    SIGNS,
    Found,
    Sight,
    judged,
    judged_address,
    judged_keyword,
)
from mlwright.model.findings import Location
from mlwright.model.scans import Hit

SIGHTS_LIMIT: Final = 5_000
TOTAL_LIMIT: Final = 100_000
HITS_LIMIT: Final = 20
AROUND: Final = 500
_ADDRESS: Final = "://"
_BYTES: Final = {sign: sign.encode() for sign in (*SIGNS, *KEYWORDS)}


class Lines:
    """Looks at one text after the other, at a bounded number of lines in all, as each costs a hostile author little."""

    def __init__(self) -> None:
        self._left = TOTAL_LIMIT

    def look(self, path: str, cell: int | None, data: bytes) -> list[Hit]:
        """What stands in a text, as hits: one a line, the best; at most 20, which is more than anybody reads."""
        places = _places(data)
        best: dict[int, Found] = {}
        seen, line = 0, 1
        looked_at = places[: min(SIGHTS_LIMIT, self._left)]
        self._left -= len(looked_at)
        for place, sign in looked_at:
            line += data.count(b"\n", seen, place)
            seen = place
            if len(best) >= HITS_LIMIT and line not in best:
                break
            for found in _ask(_sight(path, data, place), sign):
                if line not in best or found.better_than(best[line]):
                    best[line] = found
        hits = [
            Hit(
                rule=found.rule,
                message=f"{found.rule} in plain text",
                severity=found.severity,
                location=Location(path=path, line=line, cell=cell),
            )
            for line, found in best.items()
        ]
        if len(looked_at) < len(places):
            hits.append(
                not_read(path, f"all but {len(looked_at):,} of {len(places):,} lines that look like secrets")
            )
        return hits


def _ask(sight: Sight, sign: str) -> Iterator[Found]:
    if sign == _ADDRESS:
        return judged_address(sight)
    return judged(sight, sign) if sign in SIGNS else judged_keyword(sight)


def _places(data: bytes) -> list[tuple[int, str]]:
    """Where a sign stands, with the sign, in order; of several in one line (or 500 bytes) only the first."""
    low = data.lower()
    found = [(match.start(), _ADDRESS) for match in ADDRESS.finditer(data)]
    for sign, text in _BYTES.items():
        at = low.find(text)
        while at >= 0:
            found.append((at, sign))
            end = low.find(b"\n", at, at + AROUND)
            at = low.find(text, end if end >= 0 else at + AROUND)
    return sorted(found)


def _sight(path: str, data: bytes, place: int) -> Sight:
    """The line around a place, at most 500 bytes to either side, so that no pattern meets an endless line."""
    start = data.rfind(b"\n", max(0, place - AROUND), place) + 1 or max(0, place - AROUND)
    end = data.find(b"\n", place, place + AROUND)
    end = end if end >= 0 else min(len(data), place + AROUND)
    before = data.rfind(b"\n", max(0, start - AROUND), max(start - 1, 0)) + 1 or max(0, start - AROUND)
    return Sight(
        path=path,
        line=_decoded(data[start:end]),
        before=_decoded(data[before : max(start - 1, 0)]),
        after=_decoded(data[end : end + AROUND]),
    )


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\r")
