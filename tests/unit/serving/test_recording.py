import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import StorageError
from mlwright.model.settings import RecordSettings
from mlwright.stages.serving.recording import RecordPolicy, record_key

KEY = bytes(32)


def policy(**settings: object) -> RecordPolicy:
    return RecordPolicy(RecordSettings(**settings), KEY)  # type: ignore[arg-type]


def test_usually_everything_is_kept_as_it_is(kit) -> None:
    block = kit.block("a")
    assert policy().everything
    assert policy().apply([block])[0] is block
    assert (policy().refuse, policy(when_full="refuse").refuse) == (False, True)


def test_a_sample_is_of_predictions_and_the_same_for_all_variants(kit) -> None:
    quarter = policy(sample=0.25)
    kept = 0
    for request in range(400):
        blocks = (kit.block(f"r{request}"), kit.block(f"r{request}", variant="challenger", features={}))
        logged = quarter.apply(blocks)
        assert len(logged) in (0, 2)
        if logged:
            first, second = logged
            assert first.prediction_ids == second.prediction_ids
            assert {first.weight, second.weight} == {4.0}
            rows = [int(each[-1]) for each in first.prediction_ids]
            assert first.scores == [row / 10 for row in rows]
            assert first.entity_keys == [f"flight {row}" for row in rows]
            assert first.features == {"x": [float(row) for row in rows], "origin": ["JFK"] * len(rows)}
            kept += len(rows)
    assert 240 < kept < 360  # 300 of 1,200; four standard deviations
    assert quarter.apply([kit.block("r1")]) == quarter.apply([kit.block("r1")])


def test_nothing_of_everything(kit) -> None:
    assert policy(sample=0.0).apply([kit.block("a", 500)]) == ()


@given(st.integers(1, 30), st.sampled_from(["<f8", "<f4"]), st.sampled_from([0.1, 0.5, 0.9]))
def test_rows_of_a_matrix_stay_with_their_ids(kit, rows, kind, sample) -> None:
    numbers = np.arange(rows * 3, dtype=kind).reshape(rows, 3)
    block = kit.block("a", rows, features={}, matrix=numbers.tobytes(), names=("x", "y", "z"))
    for logged in policy(sample=sample).apply([block]):
        left = np.frombuffer(logged.matrix, dtype=kind).reshape(-1, 3)
        assert [f"a.{int(row[0]) // 3}" for row in left] == logged.prediction_ids


@pytest.mark.parametrize("kind", ["columns", "<f8", "<f4"])
def test_masks_and_left_out(kit, kind) -> None:
    names = ("age", "pay", "secret")
    rows = [[30.0, 10.0, 1.0], [30.0, np.nan, 2.0], [31.0, 10.0, 3.0]]
    if kind == "columns":
        columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
        block = kit.block("a", features=columns, outputs={"secret": ["u"] * 3})
    else:
        block = kit.block("a", features={}, matrix=np.array(rows, dtype=kind).tobytes(), names=names)
    [logged] = policy(mask=("age", "pay"), leave_out=("secret",)).apply([block])
    age, pay = logged.features["age"], logged.features["pay"]
    assert age[0] == age[1] != age[2]
    assert (pay[1], pay[0]) == (None, pay[2])
    assert not {"30", "30.0", "10.0"} & set(map(str, age + pay))
    assert age[0] not in pay
    assert "secret" not in (*logged.features, *logged.outputs, *logged.names)
    assert logged.matrix == b""


def test_digests_need_the_key_and_know_equal_values(kit) -> None:
    block = kit.block("a", 2, features={"x": [3, 3.0]})
    [one] = policy(mask=("x",)).apply([block])
    [two] = RecordPolicy(RecordSettings(mask=("x",)), b"another").apply([block])
    assert one.features["x"][0] == one.features["x"][1]
    assert one.features["x"] != two.features["x"]


def test_other_numbers_of_the_matrix_stay(kit) -> None:
    block = kit.block("a", 2, features={}, matrix=np.arange(6.0).tobytes(), names=("x", "y", "z"))
    [logged] = policy(leave_out=("y",)).apply([block])
    assert logged.names == ("x", "z")
    assert np.frombuffer(logged.matrix).tolist() == [0.0, 2.0, 3.0, 5.0]


def test_flags_do_not_quote_what_is_hidden(kit) -> None:
    flags = ["x[0]: 'a; b' is no number", "", "y[2]: 9 is too large"]
    [logged] = policy(mask=("x",)).apply([kit.block("a", flags=flags)])
    assert logged.flags == ["hidden", "", "y[2]: 9 is too large"]


def test_key_is_made_once_and_is_nobodys_business(tmp_path) -> None:
    state = tmp_path / "state"
    key = record_key(state)
    assert len(key) == 32
    assert record_key(state) == key
    [path] = state.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="32 bytes"):
        record_key(state)
