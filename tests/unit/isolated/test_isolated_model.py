"""A model in a process of its own: what it answers, and what happens when the process ends."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from mlwright.adapters.isolated import supervising
from mlwright.adapters.isolated.memory import KEPT
from mlwright.errors import ModelDown, ModelError, ModelLoadFailed, SignatureMismatch
from mlwright.model.batches import Batch
from mlwright.ports.runtimes import Supervised, trouble_of


def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def told(do: str, **columns: object) -> Batch:
    word = np.empty(1, dtype=object)
    word[0] = do
    return Batch(1, {"do": word, "x": np.array([1.5]), **columns})  # type: ignore[dict-item]


def ask(model, value: float) -> None:
    assert model.infer(Batch(1, {"x": np.array([value])}))["x"].tolist() == [value]


def test_rows_come_back_as_they_were(load) -> None:
    model = load()
    words = st.lists(st.none() | st.text(st.characters(exclude_categories=())), min_size=3, max_size=3)
    any_numbers = hn.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "u8", "?", "M8[us]", "M8[ns]"]),
        st.sampled_from([(3,), (3, 0), (3, 2), (3, 1, 4)]),
    )

    @settings(max_examples=60, deadline=None)
    @given(any_numbers, words)
    def check(numbers, texts) -> None:
        column = np.empty(3, dtype=object)
        column[:] = texts
        found = model.infer(Batch(3, {"x": numbers, "t": column}))
        assert list(found) == ["x", "t"]
        assert found["x"].dtype == numbers.dtype
        assert found["x"].shape == numbers.shape
        assert found["x"].tobytes() == numbers.tobytes()
        assert found["t"].tolist() == texts

    check()
    empty = model.infer(Batch(0, {"x": np.empty((0, 2), "f4"), "t": np.empty(0, object)}))
    assert (empty["x"].shape, empty["x"].dtype, empty["t"].tolist()) == ((0, 2), np.float32, [])


def test_a_matrix_goes_as_one_array(load) -> None:
    matrix = np.arange(6.0).reshape(3, 2)
    found = load().infer(Batch(3, matrix=matrix, names=("b", "a")))
    assert found["b"].tolist() == [0, 2, 4]
    assert found["a"].tolist() == [1, 3, 5]


def test_memory_grows_and_is_given_back(load) -> None:
    model = load()
    for size in (10, 1 << 17, 1 << 20, (KEPT >> 3) + 1, 3, 1 << 18):
        values = np.random.default_rng(size).normal(size=(1, size))
        given = values.copy()
        first = model.infer(Batch(1, {"x": values}))["x"]
        second = model.infer(Batch(1, {"x": values + 1}))["x"]
        assert np.array_equal(first, given), "an answer outlives the next call"
        assert np.array_equal(second, given + 1)
    assert model.infer(told("large"))["output"].shape == (1, 3_000_000)
    held = model._supervision._process._memory
    assert held.size <= KEPT


def test_what_the_model_raises_is_told_and_the_next_call_is_answered(load) -> None:
    model = load()
    with pytest.raises(SignatureMismatch, match="refuses") as refused:
        model.infer(told("refuse"))
    assert refused.value.why == "not these"
    with pytest.raises(ModelError, match="raised RuntimeError") as raised:
        model.infer(told("raise"))
    assert not isinstance(raised.value, SignatureMismatch | ModelDown)
    with pytest.raises(ModelError, match="cannot answer") as short:
        model.infer(told("short"))
    assert "1 rows" in (short.value.why or "")
    with pytest.raises(ModelError, match="values of this request"):
        model.infer(Batch(1, {"x": np.broadcast_to(np.float64(0), (1, 1 << 32))}))
    model.infer(told("chatter"))
    ask(model, 2.0)
    assert model.trouble is None
    assert model.restarts == 0


def test_it_sees_nothing_of_ours(load, monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    seen = load().infer(told("environment"))["output"][0]
    assert "hidden" not in seen
    assert "OMP_NUM_THREADS" in seen


def test_it_starts_again_when_it_dies(load) -> None:
    model = load()
    starts: list[int] = []
    assert isinstance(model, Supervised)
    model.on_restart(lambda: starts.append(1))
    pid = model.pid
    with pytest.raises(ModelDown, match="during the call: SIGKILL ended it") as down:
        model.infer(told("die"))
    assert down.value.retry_after_s > 0
    assert trouble_of(model) is not None
    assert "SIGKILL" in (model.trouble or "")
    until(lambda: model.trouble is None)
    assert model.pid != pid
    ask(model, 3.0)
    assert (model.restarts, len(starts)) == (1, 1)
    with pytest.raises(ModelDown, match="exit code 3"):
        model.infer(told("exit"))
    with pytest.raises(ModelDown):  # at once, while there is none
        model.infer(told("echo"))


def test_a_call_that_hangs_is_cut_off(load) -> None:
    model = load(call_s=0.3)
    with pytest.raises(ModelDown, match=r"longer than 0\.3 s"):
        model.infer(told("sleep"))
    until(lambda: model.trouble is None)
    ask(model, 4.0)


def test_rows_that_end_it_again_and_again_are_kept_away(load) -> None:
    model = load()
    for _ in range(2):
        until(lambda: model.trouble is None)
        with pytest.raises(ModelDown, match="during the call"):
            model.infer(told("die"))
    until(lambda: model.trouble is None)
    pid = model.pid
    with pytest.raises(ModelDown, match="2 times in a row"):
        model.infer(told("die"))
    ask(model, 5.0)
    assert model.pid == pid, "others are answered meanwhile"


def test_a_model_that_no_longer_loads_is_tried_less_and_less_often(load, folder, monkeypatch) -> None:
    model = load()
    (folder / "broken").write_text("no")
    waits = []
    monkeypatch.setattr(supervising, "LONGEST_WAIT_S", 0.1)
    model.on_restart(lambda: waits.append(time.monotonic()))
    os.kill(model.pid, signal.SIGKILL)
    until(lambda: len(waits) >= 4)
    assert "cannot be started again" in (model.trouble or "")
    with pytest.raises(ModelDown, match="does not load"):
        ask(model, 1.0)
    (folder / "broken").unlink()
    until(lambda: model.trouble is None)
    ask(model, 6.0)


@pytest.mark.parametrize("how", ["no", "dead"])
def test_one_that_does_not_load(load, folder, how) -> None:
    (folder / "broken").write_text(how)
    with pytest.raises(ModelLoadFailed) as failed:
        load()
    assert ("does not want to" if how == "no" else "exit code 3") in (failed.value.why or "")


def test_nothing_is_left_after_close(load) -> None:
    model = load()
    home = Path(model.infer(told("home"))["output"][0])
    pid = model.pid
    assert (home / "left").exists()
    model.close()
    until(lambda: not is_alive(pid) and not home.exists())
    with pytest.raises(ModelDown):
        ask(model, 1.0)
    assert model.restarts == 0


def test_one_that_nobody_holds_any_more_ends(folder, load) -> None:
    import gc

    engine_model = load()
    supervision, pid = engine_model._supervision, engine_model.pid
    other = supervising.IsolatedModel(engine_model.signature, supervision)
    del other
    gc.collect()
    until(lambda: not is_alive(pid))


def test_nothing_is_left_when_the_parent_is_killed(folder, tmp_path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        import sys, threading
        from pathlib import Path
        import numpy as np
        from mlwright.adapters.isolated.engine import IsolatedEngine
        from mlwright.adapters.isolated.planning import Described
        from mlwright.model.batches import Batch
        from mlwright.stages.registry import loading
        from mlwright.testing.fakes.environments import RunningEnvironments
        described = Described(flavors={"mlwright_function": {"code": "code"}})
        engine = IsolatedEngine(RunningEnvironments(), lambda _: described, Path(loading.__file__))
        idle = engine.load(Path(sys.argv[1]), digest="d", flavors=())
        busy = engine.load(Path(sys.argv[1]), digest="d", flavors=())
        word = lambda do: Batch(1, {"do": np.array([do], dtype=object)})
        homes = [each.infer(word("home"))["output"][0] for each in (idle, busy)]
        threading.Thread(target=lambda: busy.infer(word("sleep")), daemon=True).start()
        print(idle.pid, busy.pid, *homes, flush=True)
        sys.stdin.read()
        """),
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        idle, busy, *homes = parent.stdout.readline().split()
        parent.kill()
    until(lambda: not is_alive(int(idle)) and not is_alive(int(busy)))
    until(lambda: not any(Path(home).exists() for home in homes))


def test_every_call_is_right_or_raises_while_it_is_killed(load) -> None:
    model = load()
    ends = threading.Event()
    wrong: list[object] = []
    right = [0]

    def work(seed: int) -> None:
        own = random.Random(seed)
        while not ends.is_set():
            value = own.random()
            size = own.choice([1, 50, 20_000])
            try:
                found = model.infer(Batch(1, {"x": np.full((1, size), value)}))["x"]
            except ModelDown:
                time.sleep(0.005)
            except Exception as error:  # noqa: BLE001 - it is what the test is about
                wrong.append(error)
            else:
                right[0] += 1
                if found.shape != (1, size) or not (found == value).all():
                    wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for each in threads:
        each.start()
    own = random.Random(7)
    for killed in range(4):
        until(lambda killed=killed: model.restarts == killed and model.trouble is None)  # type: ignore[misc]
        before = right[0]
        until(lambda before=before: right[0] > before)  # type: ignore[misc]
        time.sleep(own.random() * 0.03)
        os.kill(model.pid, signal.SIGKILL)
    until(lambda: model.trouble is None and model.restarts >= 4)
    before = right[0]
    until(lambda: right[0] > before)
    ends.set()
    for each in threads:
        each.join(20)
        assert not each.is_alive(), "a call hangs"
    assert not wrong
