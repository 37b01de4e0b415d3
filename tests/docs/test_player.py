"""The comparison of shown and real output: what it lets pass, and what it must see."""

import pytest

CAME = """
  feature view     rows
 ──────────────────────
  usage_lately   31,200

auc difference -0.0084 ± 0.0052, z = -1.60
run 01J8 took 1.3 s
"""


@pytest.mark.parametrize(
    "shown",
    [
        "usage_lately   31,200",
        "feature view rows\n────\nusage_lately 31,200",
        "…\nauc difference -0.0084 ± 0.0051, z = -1.62",
        "auc difference …",
        "run … took … s",
        "run 0… took …",
        "",
    ],
)
def test_what_is_true_passes(player, shown) -> None:
    assert player.differences(shown, CAME) == []


@pytest.mark.parametrize(
    "shown",
    [
        "usage_lately   31,201",
        "usage_lately",
        "usage_lately 31,200\nfeature view rows",
        "auc difference 0.0084 ± 0.0052, z = -1.60",
        "auc difference -0.0084 ± 0.0052, z = -1.90",
        "run … took … s quickly",
        "something else",
    ],
)
def test_what_is_not_true_is_seen(player, shown) -> None:
    assert player.differences(shown, CAME)


def test_a_command_that_fails_fails_the_page(reader) -> None:
    with pytest.raises(AssertionError, match="exit code 3"):
        reader.type("exit 3")
