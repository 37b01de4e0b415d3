"""Seeds: the exact places, every other character as it was, and nothing where a machine cannot be sure."""

import ast
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

fixable = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fixable.py"))))
HEAD = "import pandas as pd\nfrom sklearn.model_selection import KFold, ShuffleSplit, train_test_split\n"
BODY = "frame = pd.read_csv('a.csv')\n"
FIT = "from sklearn.linear_model import LogisticRegression\nLogisticRegression().fit(frame, frame['y'])\n"


@pytest.fixture(scope="module")
def engineer():
    return fixable.engineer()


@pytest.fixture
def seeded(engineer, make_repository):
    """The text of train.py with seeds, and the planned fix."""

    def run(text: str | bytes):
        root = make_repository({"train.py": text})
        plan = engineer.plan_fixes(root, ["seed"])
        engineer.apply(plan)
        return (root / "train.py").read_bytes(), plan.fixes[0]

    return run


def plain(text: str) -> str:
    """The text without what the fix puts in."""
    for word in (", random_state=SEED", "random_state=SEED", "\nSEED = 13\n"):
        text = text.replace(word, "")
    return text


@pytest.mark.parametrize(
    ("call", "becomes"),
    [
        ("train_test_split(frame)", "train_test_split(frame, random_state=SEED)"),
        ("train_test_split(frame, test_size=.2)", "train_test_split(frame, test_size=.2, random_state=SEED)"),
        ("train_test_split((frame) )", "train_test_split((frame), random_state=SEED )"),
        ("train_test_split(frame,)", "train_test_split(frame, random_state=SEED,)"),
        ("train_test_split(\n  frame,  # all)\n)", "train_test_split(\n  frame, random_state=SEED,  # all)\n)"),
        ("train_test_split(frame, random_state=None)", "train_test_split(frame, random_state=SEED)"),
        ("train_test_split(frame, shuffle=(True))", "train_test_split(frame, shuffle=(True), random_state=SEED)"),
        ("ShuffleSplit()", "ShuffleSplit(random_state=SEED)"),
        ("KFold(5, shuffle=True)", "KFold(5, shuffle=True, random_state=SEED)"),
        ("'é', train_test_split(frame['ü'], frame)", "'é', train_test_split(frame['ü'], frame, random_state=SEED)"),
    ],
)  # fmt: skip
def test_the_place_is_exact(seeded, call, becomes) -> None:
    text = f"{HEAD}{BODY}x = {call}  # kept\n{FIT}"
    found, fix = seeded(text)
    assert found.decode() == f"{HEAD}\nSEED = 13\n\n{BODY}x = {becomes}  # kept\n{FIT}"
    assert fix.turns == ("data.split_seeded",)


@pytest.mark.parametrize(
    "call",
    [
        "train_test_split(*frames)",
        "train_test_split(frame, **options)",
        "train_test_split(each for each in frame)",
        "(train_test_split(frame), train_test_split(frame))",
    ],
)
def test_what_is_not_plain_is_left(seeded, call) -> None:
    text = f"{HEAD}{BODY}x = {call}\n{FIT}"
    found, fix = seeded(text)
    assert found.decode() == text
    assert not fix.changes


def test_line_ends_encoding_and_byte_order_mark_stay(seeded) -> None:
    text = f"# -*- coding: latin-1 -*-\n# é\n{HEAD}{BODY}x = train_test_split(frame)\n{FIT}".replace(
        "\n", "\r\n"
    )
    found, _ = seeded(text.encode("latin-1"))
    assert b"\xe9" in found
    assert found.count(b"\r\n") == found.count(b"\n") == text.count("\r\n") + 3
    marked, _ = seeded(f"\ufeff{HEAD}{BODY}x = train_test_split(frame)\n{FIT}".encode())
    assert marked.startswith(b"\xef\xbb\xbfimport")
    assert marked.count(b"\xef\xbb\xbf") == 1


@pytest.mark.parametrize("broken", [b"x = '\xff\xfe'\n", b"# coding: nope\n", b"def (:\n", b"\x00\x00"])
def test_what_cannot_be_read_is_left(seeded, broken) -> None:
    raw = broken + f"{HEAD}{BODY}x = train_test_split(frame)\n{FIT}".encode()
    found, _ = seeded(raw)
    assert found == raw


@pytest.mark.parametrize("name", ["SEED = 7", "RANDOM_STATE = 42"])
def test_a_constant_that_is_there_is_used(seeded, name) -> None:
    text = f"{HEAD}{name}\n{BODY}x = train_test_split(frame)\n{FIT}"
    found, _ = seeded(text)
    assert found.decode() == text.replace("(frame)\n", f"(frame, random_state={name.split()[0]})\n", 1)


@pytest.mark.parametrize("other", ["SEED = load()", "def f(SEED):\n    return SEED", "from x import SEED"])
def test_a_name_that_means_something_else_is_not_taken(seeded, other) -> None:
    found, _ = seeded(f"{HEAD}{other}\n{BODY}x = train_test_split(frame)\n{FIT}")
    assert b"RANDOM_SEED = 13" in found
    assert b"random_state=RANDOM_SEED" in found


def test_a_constant_further_down_is_not_used_too_early(seeded) -> None:
    text = f"{HEAD}{BODY}x = train_test_split(frame)\nSEED = 3\n{FIT}"
    found, fix = seeded(text)
    assert found.decode() == text
    assert "further down" in fix.refused


def test_a_source_of_the_whole_process_is_seeded_where_it_starts(seeded) -> None:
    script = (
        '"""Doc."""\nfrom __future__ import annotations\nimport random\nimport numpy as np\n' + HEAD +
        "def main():\n    frame = pd.read_csv('a.csv')\n    z = np.random.normal(size=3) + random.random()\n"
        "    from sklearn.linear_model import LogisticRegression\n    LogisticRegression().fit(frame, z)\n"
        "if __name__ == '__main__':\n    main()\n"
    )  # fmt: skip
    found, fix = seeded(script)
    assert "\nSEED = 13\nnp.random.seed(SEED)\nrandom.seed(SEED)\n" in found.decode()
    ast.parse(found)
    assert "model.seeded" in fix.turns


def test_a_module_that_others_import_does_not_seed_their_process(seeded) -> None:
    text = (
        "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n"
        "def train(frame):\n    z = np.random.normal(size=3)\n    return LogisticRegression().fit(frame, z)\n"
    )
    found, fix = seeded(text)
    assert found.decode() == text
    assert not fix.turns


def test_more_places_than_a_probe_shows(seeded) -> None:
    lines = "".join(f"x{i} = train_test_split(frame)\n" for i in range(45))
    found, fix = seeded(f"{HEAD}{BODY}{lines}{FIT}")
    assert found.count(b"random_state=SEED") == 45
    assert found.count(b"SEED = 13") == 1
    assert plain(found.decode()).count("train_test_split(frame)") == 45
    assert fix.turns == ("data.split_seeded",)


def test_an_estimator_beside_others_on_the_line(seeded) -> None:
    text = (
        "import pandas as pd\nfrom sklearn.ensemble import RandomForestClassifier as RF\n"
        "from sklearn.ensemble import ExtraTreesClassifier\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\nframe = pd.read_csv('a.csv')\n"
        "make_pipeline(StandardScaler(), ExtraTreesClassifier()).fit(frame, frame['y'])\n"
    )
    found, _ = seeded(text)
    assert b"make_pipeline(StandardScaler(), ExtraTreesClassifier(random_state=SEED)).fit(" in found
