"""How drift of slices and variants is drawn in the terminal: parts by the columns that moved most in any of them."""

from datetime import UTC, datetime, timedelta

from rich.console import Console

from mlwright.doors.cli.parted import parted
from mlwright.model.monitoring import FeatureDrift
from mlwright.model.part_drift import DriftByPart, PartDrift
from mlwright.model.windows import Window

START, DAY = datetime(2013, 4, 1, tzinfo=UTC), timedelta(days=1)


def feature(column, psi, reason="", threshold=0.1):
    return FeatureDrift(
        column=column,
        n=900,
        psi=psi,
        js=0.1,
        null_rate=0.0,
        reference_null_rate=0.0,
        unseen_rate=0.0,
        threshold=threshold,
        moved=bool(reason),
        reason=reason,
        score=psi / 0.1,
    )


def part(name, *features, note="", assumption="fixed limits"):
    return PartDrift(
        part=name,
        rows=2300,
        reference_rows=4100,
        features=features,
        judged=len(features) if assumption else 0,
        moved=sum(each.moved for each in features),
        note=note,
        assumption=assumption,
    )


FOUND = DriftByPart(
    endpoint="delay",
    model_version="delay/1",
    window=Window(start=START, end=START + DAY),
    reference=Window(start=START - 9 * DAY, end=START),
    parts=(
        part("carrier=UA", feature("temp", 0.31, "psi"), feature("wind", 0.02), feature("humid", 0.05)),
        part("carrier=EV", feature("temp", 0.03), feature("wind", 0.04), feature("humid", 0.2, "missing")),
        part("carrier=OO", feature("temp", 9.0, threshold=None), note="too few to judge: 9", assumption=""),
    ),
)


def drawn(found):
    console = Console(width=200, highlight=False)
    with console.capture() as shown:
        console.print(parted(found))
    return [" ".join(line.split()) for line in shown.get().splitlines()]


def test_parts_stand_beside_each_other_by_what_moved_most_in_any() -> None:
    lines = drawn(FOUND)
    assert next(each for each in lines if each.startswith("part")) == "part n held out moved temp humid wind"
    assert "carrier=UA 2,300 4,100 1 of 3 0.310 moved 0.050 0.020" in lines
    assert "carrier=EV 2,300 4,100 1 of 3 0.030 0.200 missing 0.040" in lines
    assert "carrier=OO 2,300 4,100 – – – –" in lines
    assert "carrier=UA, carrier=EV fixed limits" in lines
    assert "carrier=OO too few to judge: 9" in lines


def test_where_nothing_was_counted_apart_a_word_says_so() -> None:
    assert "nothing was counted apart" in drawn(None)[0]
