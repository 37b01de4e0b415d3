"""How often the assessor is wrong: claims on the corpus of tests/engineer, beside what was expected of them."""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from report import ROOT, Result, write

sys.path.insert(0, str(ROOT))  # the corpus and its reader are part of the tests

from tests.engineer.corpus.reading import Compared, cases, compare, facts, lay_out, report
from tests.engineer.corpus.seeding import copied, scored, seeded

# What the assessor said of the corpus before anything was changed because of it, held against the expectations as they
# were written before. Of the 35 false claims four, and of the 31 misses twenty, were errors of the expectations.
FIRST_LOOK = (
    {
        "topic": "first look, all",
        "repositories": 53,
        "claims": 1714,
        "false claims": 35,
        "expected": 196,
        "missed": 31,
    },
    {"topic": "first look, claims about a place", "repositories": 53, "claims": 129, "false claims": 10}
    | {"expected": 0, "missed": 0},
    {"topic": "first look, held out", "repositories": 17, "claims": 539, "false claims": 10}
    | {"expected": 59, "missed": 7},
)

NOTE = """\
{repositories} small repositories of `tests/engineer/corpus`, {held} of them held out. A claim is a probe that
says FALSE. It is a **false claim** where the `expected.yaml` of the repository does not list it (`must_find`,
`may_find`), unless it only says that there is nothing of a kind (`absences.yaml`), and always where `holds`,
`unknown` or `must_not_claim` forbid it. A **miss** is an entry of `must_find` that is not FALSE at its place.

*Held out* means: written, with its expectations, before anybody saw a report on it. *First look* is what was
said then, before a probe was changed because of it, held against the expectations as they were written; on the
held-out ones the ten false claims were true errors of the assessor, and six of the seven misses errors of the
expectations. Since then both were mended, so that the other rows tell that nothing came back, and not how well
the assessor does elsewhere. Most claims are about what is missing, which is easy to say; claims about a place
are counted apart. The corpus was written by those who wrote the assessor: repositories of strangers are harder.

Of {faults} seeded faults, one for each test of the ML Test Score, {right} flip their test and no other, and
mending them raises the score."""


def compared() -> list[Compared]:
    found = []
    for case in cases():
        with tempfile.TemporaryDirectory() as place:
            root = lay_out(case, Path(place))
            repository = facts(case, root)
            found.append(compare(case, root, repository, report(repository)))
    return found


def counted(topic: str, those: Iterable[Compared], of: str = "") -> dict[str, object]:
    """Sums over reports; ``of`` keeps one topic only."""
    whole = list(those)
    claims = [each for one in whole for each in one.claims if not of or each.probe.startswith(f"{of}.")]
    expected = [id for one in whole for id in one.expected if not of or id.startswith(f"{of}.")]
    missed = [id for one in whole for id in one.missed if not of or id.startswith(f"{of}.")]
    return {
        "topic": topic,
        "repositories": len(whole),
        "claims": len(claims),
        "false claims": sum(not each.fair for each in claims),
        "expected": len(expected),
        "missed": len(missed),
    }


def with_shares(row: dict[str, object]) -> dict[str, object]:
    claims, wrong, expected, missed = (
        int(str(row[name])) for name in ("claims", "false claims", "expected", "missed")
    )
    precision = f"{1 - wrong / claims:.1%}" if claims else "–"
    recall = f"{1 - missed / expected:.1%}" if expected else "–"
    return {**row, "precision": precision, "recall": recall}


def faults_told_apart() -> tuple[int, int]:
    """How many seeded faults flip their item of the ML Test Score and no other, and how many there are."""
    with tempfile.TemporaryDirectory() as place:
        healthy = scored(copied(Path(place)))
    right = 0
    for id, fault in seeded().items():
        with tempfile.TemporaryDirectory() as place:
            sick = scored(copied(Path(place), fault))
        changed = [each for each in sick.items if sick.items[each].rung is not healthy.items[each].rung]
        right += changed == [id] and sick.low < healthy.low
    return right, len(seeded())


def main() -> None:
    found = compared()
    located = [
        Compared(one.case, tuple(each for each in one.claims if each.located), (), (), ()) for one in found
    ]
    said = {id for one in found for id in (*one.expected, *(each.probe for each in one.claims))}
    topics = sorted({id.partition(".")[0] for id in said})
    rows = [
        counted("all", found),
        counted("claims about a place", located),
        counted("held out", [one for one in found if one.case.held_out]),
        *FIRST_LOOK,
        *(counted(topic, found, topic) for topic in topics),
    ]
    right, faults = faults_told_apart()
    held = sum(one.case.held_out for one in found)
    write(
        Result(
            name="assessor",
            title="The assessor: precision and recall",
            note=NOTE.format(repositories=len(found), held=held, faults=faults, right=right),
            rows=[with_shares(row) for row in rows],
        )
    )


if __name__ == "__main__":
    main()
