"""Promotion policies in mlwright.toml: the whole parser and the light one agree, and every fault is said."""

import pytest

from mlwright.adapters.config.light import find_promotions, load_promotions
from mlwright.adapters.config.load import load_settings
from mlwright.errors import SettingsError
from mlwright.model.promotion import Approval, Gate, PromotionPolicy

PROJECT = '[project]\nname = "p"\n'
WHOLE = """
[[promotion]]
model = "churn"
alias = "prod"
gates = ["proof", "no-pickle", "evaluation", "slices"]
approvals = [{ role = "ml-lead", by = ["ada", "bo"], count = 2 }]
metric = "brier"
tolerance = 0
slices = ["carrier", "hour"]
four_eyes = false
override = ["ada"]

[[promotion]]
model = "*"
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mlwright.toml"
        path.write_text(PROJECT + text)
        return path

    return write


def test_both_parsers_read_the_same(file):
    path = file(WHOLE)
    found = load_promotions(path)
    assert found == load_settings(path, {}).promotions == find_promotions(path.parent)
    assert found[0] == PromotionPolicy(
        model="churn",
        alias="prod",
        gates=(Gate.PROOF, Gate.NO_PICKLE, Gate.EVALUATION, Gate.SLICES),
        approvals=(Approval(role="ml-lead", by=("ada", "bo"), count=2),),
        metric="brier",
        tolerance=0.0,
        slices=("carrier", "hour"),
        four_eyes=False,
        override=("ada",),
    )
    assert found[1] == PromotionPolicy(model="*")
    assert [each.fingerprint for each in found] == [
        each.fingerprint for each in load_settings(path).promotions
    ]


def test_without_policies_nothing_is_guarded(file, tmp_path):
    assert load_promotions(file("")) == ()
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "mlwright.toml").unlink()
    assert find_promotions(empty) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('model = "m"\ngates = ["prof"]', "promotion[0].gates[0]: 'prof' is not"),
        (
            'model = "m"\ntolerence = 1',
            "promotion[0].tolerence: is not a key here (did you mean 'tolerance'?)",
        ),
        ('model = "m"\ngates = ["slices"]', "promotion[0].slices: is missing"),
        ('model = "m"\ngates = ["proof", "proof"]', "promotion[0].gates: 'proof' is named twice"),
        (
            'model = "m"\napprovals = [{ role = "a", by = ["x"], count = 2 }]',
            "promotion[0].approvals[0].count: 2 have to approve, but only 1 may",
        ),
        (
            'model = "m"\napprovals = [{ role = "a", by = ["x"] }, { role = "a", by = ["y"] }]',
            "promotion[0].approvals[1].role: 'a' is named twice",
        ),
        (
            'model = "m"\n[[promotion]]\nmodel = "m"',
            "promotion[1].model: 'm' with alias 'champion' is already promotion[0]",
        ),
        ('alias = "x"', "promotion[0].model: is missing"),
        ('model = "m"\nlevel = 1.5', "promotion[0].level: "),
    ],
)
def test_faults_are_named_where_they_are(file, text, said):
    with pytest.raises(SettingsError) as caught:
        load_settings(file(f"[[promotion]]\n{text}\n"), {})
    assert any(str(fault).startswith(said) for fault in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    "text", ["tolerence = 1", 'gates = "proof"', "approvals = [{ roles = 1 }]", "min_rows = '1'"]
)
def test_a_misspelt_policy_is_not_a_lax_one(file, text):
    with pytest.raises(SettingsError):
        load_promotions(file(f'[[promotion]]\nmodel = "m"\n{text}\n'))
