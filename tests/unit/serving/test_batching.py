"""Asks of several clients, answered together: exactly one reply each, batches bounded, nothing late is scored."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic, sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.errors import (
    DeadlinePassed,
    MlwrightError,
    ModelError,
    Overloaded,
    SignatureMismatch,
    TooManyRequests,
)
from mlwright.model.settings import BatchingSettings, EndpointSettings, LimitSettings, ServingSettings
from mlwright.stages.serving import counters as names
from mlwright.stages.serving.asks import Answer, Ask, Outcome
from mlwright.stages.serving.batching import Batcher
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.curve import Curve

FAST = Curve(rows=(1, 64), seconds=(1e-5, 2e-5))
SLOW = Curve(rows=(1, 64), seconds=(5e-3, 6e-3))


def answer(ask: Ask) -> Answer:
    return Answer(
        id=ask.id, rows=ask.rows, outputs={}, variants=["v"] * ask.rows, versions=["m/1"] * ask.rows
    )


class Core:
    """A core whose answers say what was asked, and which writes down what it was asked when."""

    def __init__(
        self,
        *,
        batching: BatchingSettings | None = None,
        limits: LimitSettings | None = None,
        curve: Curve | None = None,
        before: Callable[[], object] = lambda: None,
        fallback: bool = False,
        name: str = "delay",
    ) -> None:
        serving = ServingSettings(batching=batching or BatchingSettings(), limits=limits or LimitSettings())
        self.spec = EndpointSettings(name=name, model="m", serving=serving)
        self.counters = Counters(name)
        self.curve = curve
        self.before = before
        self.fallback = fallback
        self.batches: list[list[Ask]] = []
        self.threads: set[str] = set()
        self.busy = threading.Lock()

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        with self.busy:
            self.batches.append(list(asks))
            self.threads.add(threading.current_thread().name)
            self.before()
            return [SignatureMismatch("wrong") if ask.id.startswith("bad") else answer(ask) for ask in asks]

    def degraded(self, ask: Ask, error: MlwrightError) -> Outcome:
        return answer(ask) if self.fallback else error

    @property
    def scored(self) -> list[str]:
        return [ask.id for batch in self.batches for ask in batch]


@dataclass
class Client:
    """Whoever submits, and what it got, in order."""

    batcher: Batcher
    got: list[tuple[str, Outcome]] = field(default_factory=list)

    def send(self, id: str, rows: int = 1, **more: object) -> None:
        self.batcher.submit(Ask(id=id, rows=rows, **more), lambda outcome: self.got.append((id, outcome)))

    @property
    def ids(self) -> list[str]:
        return [id for id, _ in self.got]


def run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class TestInline:
    def test_what_arrived_in_one_wake_up_is_one_batch(self) -> None:
        async def work() -> None:
            core = Core(curve=FAST)
            batcher = Batcher(core)
            client = Client(batcher)
            for id in "abc":
                client.send(id, 2)
            assert (client.got, batcher.waiting_rows, batcher.mode) == ([], 6, "inline")
            await asyncio.sleep(0)
            assert client.ids == ["a", "b", "c"]
            assert all(isinstance(outcome, Answer) and outcome.id == id for id, outcome in client.got)
            assert len(core.batches) == 1
            assert (batcher.waiting_rows, batcher.scoring_rows) == (0, 0)
            assert core.counters[names.REQUESTS] == 3
            assert core.counters[names.ANSWERED_ROWS] == 6
            assert core.counters[names.BATCH_ROWS] == 1
            assert core.counters[names.MODE, "inline"] == 1

        run(work())

    def test_batches_are_bounded_in_rows_unless_one_ask_has_more(self) -> None:
        async def work() -> None:
            core = Core(batching=BatchingSettings(mode="inline", max_rows=8))
            client = Client(Batcher(core))
            for id, rows in (("a", 5), ("b", 3), ("c", 1), ("d", 20), ("e", 7), ("f", 2)):
                client.send(id, rows)
            await asyncio.sleep(0)
            assert [[ask.id for ask in batch] for batch in core.batches] == [
                ["a", "b"],
                ["c"],
                ["d"],
                ["e"],
                ["f"],
            ]

        run(work())

    def test_others_get_their_turn_between_long_batches(self) -> None:
        async def work() -> None:
            time = Time()
            core = Core(
                batching=BatchingSettings(mode="inline", max_rows=1), before=lambda: time.pass_(0.002)
            )
            client = Client(Batcher(core, clock=time))
            client.send("a")
            client.send("b")
            asyncio.get_running_loop().call_soon(client.got.append, ("others", answer(Ask(id="o", rows=1))))
            for _ in range(3):
                await asyncio.sleep(0)
            assert client.ids == ["a", "others", "b"]

        run(work())

    def test_what_a_reply_submits_is_of_the_next_wake_up(self) -> None:
        async def work() -> None:
            core = Core(curve=FAST)
            client = Client(Batcher(core))
            batcher = client.batcher
            batcher.submit(Ask(id="a", rows=1), lambda _: client.send("b"))
            await asyncio.sleep(0)
            assert core.scored == ["a"]
            await asyncio.sleep(0)
            assert client.ids == ["b"]

        run(work())

    def test_a_model_that_holds_the_loop_moves_to_a_thread(self, caplog) -> None:
        async def work() -> None:
            time = Time()
            core = Core(curve=FAST, before=lambda: time.pass_(0.0015))
            batcher = Batcher(core, clock=time)
            for number in range(40):
                await batcher.ask(Ask(id=str(number), rows=1))
                assert batcher.mode == ("inline" if number < 19 else "thread")
            assert core.scored == [str(number) for number in range(40)]
            assert core.threads == {"MainThread", "mlwright-delay"}
            assert core.counters[names.MOVES] == 1
            assert core.counters[names.MODE, "thread"] == 1
            core.curve = Curve(rows=(1,), seconds=(1e-5,))
            core.before = lambda: None
            await batcher.ask(Ask(id="new", rows=1))
            assert batcher.mode == "inline", "another model, another choice"
            await batcher.drain()

        run(work())
        assert caplog.text.count("moves from the event loop to a thread") == 1

    def test_a_very_slow_model_moves_soon_and_one_slow_batch_does_not_matter(self) -> None:
        async def work() -> None:
            time = Time()
            core = Core(before=lambda: time.pass_(0.5))
            batcher = Batcher(core, clock=time)
            for _ in range(3):
                assert batcher.mode == "inline"
                await batcher.ask(Ask(id="a", rows=1))
            assert batcher.mode == "thread"
            await batcher.drain()
            steps = iter([0.5] + [0.0001] * 50)
            core = Core(before=lambda: time.pass_(next(steps)))
            batcher = Batcher(core, clock=time)
            for _ in range(50):
                await batcher.ask(Ask(id="a", rows=1))
            assert batcher.mode == "inline"

        run(work())


class TestThread:
    def test_greedy_what_queued_while_it_was_busy_is_one_batch(self) -> None:
        async def work() -> None:
            go = threading.Event()
            core = Core(curve=SLOW, before=lambda: go.wait(10))
            batcher = Batcher(core)
            client = Client(batcher)
            client.send("a")
            while not core.batches:  # it is dispatched at once, for the thread was idle
                await asyncio.sleep(0.001)
            for id in "bcd":
                client.send(id, 3)
            assert (batcher.mode, batcher.scoring_rows, batcher.waiting_rows) == ("thread", 1, 9)
            assert (core.counters[names.IN_FLIGHT], core.counters[names.WAITING]) == (10, 9)
            go.set()
            await batcher.drain()
            assert client.ids == ["a", "b", "c", "d"]
            assert [len(batch) for batch in core.batches] == [1, 3]
            assert core.threads == {"mlwright-delay"}
            assert (batcher.scoring_rows, batcher.waiting_rows) == (0, 0)
            assert (core.counters[names.IN_FLIGHT], core.counters[names.WAITING]) == (0, 0)

        run(work())

    def test_a_window_gathers_until_it_is_over_or_full(self) -> None:
        async def work() -> None:
            window = BatchingSettings(mode="window", max_rows=4, window=timedelta(milliseconds=200))
            core = Core(batching=window)
            batcher = Batcher(core)
            client = Client(batcher)
            began = monotonic()
            for id in "abcd":
                client.send(id)
                await asyncio.sleep(0.005)
            while len(client.got) < 4:
                await asyncio.sleep(0.001)
            full_s = monotonic() - began
            client.send("e")
            await batcher.drain()
            assert [len(batch) for batch in core.batches] == [4, 1]
            assert full_s < monotonic() - began - 0.19, "the last waited for others, the first four did not"

        run(work())

    def test_one_slow_endpoint_starves_no_other(self) -> None:
        async def work() -> None:
            go = threading.Event()
            slow = Batcher(Core(curve=SLOW, before=lambda: go.wait(10), name="slow"))
            other = Batcher(Core(curve=SLOW, name="other"))
            first = asyncio.ensure_future(slow.ask(Ask(id="a", rows=1)))
            for _ in range(5):
                await other.ask(Ask(id="b", rows=1))
            assert not first.done()
            go.set()
            await asyncio.gather(first, slow.drain(), other.drain())

        run(work())

    def test_back_to_the_loop_only_after_the_last_of_the_thread(self) -> None:
        async def work() -> None:
            go = threading.Event()
            core = Core(curve=SLOW, before=lambda: go.wait(10))
            batcher = Batcher(core)
            client = Client(batcher)
            for id in "ab":
                client.send(id)
            core.curve = FAST
            for id in "cd":
                client.send(id)
            await asyncio.sleep(0.01)
            assert client.got == []
            go.set()
            await batcher.drain()
            assert client.ids == ["a", "b", "c", "d"]
            assert core.threads == {"MainThread", "mlwright-delay"}

        run(work())


class TestLimits:
    def test_the_queue_is_bounded_in_rows(self) -> None:
        async def work() -> None:
            core = Core(limits=LimitSettings(queue_rows=10), curve=FAST)
            client = Client(Batcher(core))
            client.send("a", 6)
            client.send("b", 5)
            client.send("c", 4)
            [(id, refused)] = client.got
            assert id == "b"
            assert type(refused) is Overloaded
            assert refused.retry_after_s == 1
            await asyncio.sleep(0)
            client.send("large", 11)
            await asyncio.sleep(0)
            assert core.scored == ["a", "c", "large"], (
                "what is too large alone may pass when nothing else waits"
            )
            assert core.counters[names.REJECTED, "queue"] == 1
            assert core.counters[names.ERRORS, "Overloaded"] == 1
            assert core.counters[names.REQUESTS] == 4

        run(work())

    def test_retry_after_is_how_long_the_queue_takes(self) -> None:
        async def work() -> None:
            curve = Curve(rows=(1, 64), seconds=(0.05, 3.2))
            go = threading.Event()
            core = Core(limits=LimitSettings(queue_rows=100), curve=curve, before=lambda: go.wait(10))
            batcher = Batcher(core)
            client = Client(batcher)
            client.send("a", 90)
            client.send("b", 11)
            [(_, refused)] = client.got
            assert isinstance(refused, Overloaded)
            assert refused.retry_after_s == 5, "90 rows at 50 ms"
            go.set()
            await batcher.drain()

        run(work())

    def test_a_fallback_answers_in_place_of_a_full_queue(self) -> None:
        async def work() -> None:
            core = Core(limits=LimitSettings(queue_rows=1), curve=FAST, fallback=True)
            client = Client(Batcher(core))
            client.send("a")
            client.send("b")
            assert [type(outcome) for _, outcome in client.got] == [Answer]
            await asyncio.sleep(0)
            assert core.scored == ["a"]
            assert core.counters[names.ERRORS] == 0
            assert core.counters[names.REQUESTS] == 2

        run(work())

    def test_one_client_may_not_ask_too_often(self) -> None:
        async def work() -> None:
            time = Time()
            core = Core(limits=LimitSettings(client_rate=1, client_burst=2), curve=FAST)
            client = Client(Batcher(core, clock=time))
            for id in ("a1", "a2", "a3"):
                client.send(id, client="10.0.0.1")
            client.send("b1", client="10.0.0.2")
            [(id, refused)] = client.got
            assert id == "a3"
            assert type(refused) is TooManyRequests
            assert refused.retry_after_s == 1
            time.pass_(1.0)
            client.send("a4", client="10.0.0.1")
            await asyncio.sleep(0)
            assert core.scored == ["a1", "a2", "b1", "a4"]
            assert core.counters[names.REJECTED, "client"] == 1

        run(work())

    def test_what_is_past_its_deadline_is_not_scored(self) -> None:
        async def work() -> None:
            time = Time()
            core = Core(batching=BatchingSettings(mode="inline", max_rows=1), before=lambda: time.pass_(2.0))
            client = Client(Batcher(core, clock=time))
            client.send("gone", deadline=999.0)
            assert type(client.got[0][1]) is DeadlinePassed
            client.send("a")
            client.send("b", deadline=1001.0)
            client.send("c", deadline=1005.0)
            for _ in range(5):
                await asyncio.sleep(0)
            assert core.scored == ["a", "c"]
            assert {id: type(outcome) for id, outcome in client.got} == {
                "gone": DeadlinePassed,
                "a": Answer,
                "b": DeadlinePassed,
                "c": Answer,
            }
            assert core.counters[names.REJECTED, "deadline"] == 2
            assert core.counters[names.REQUESTS] == 4

        run(work())

    def test_the_endpoint_s_own_deadline(self) -> None:
        async def work() -> None:
            time = Time()
            limits = LimitSettings(deadline=timedelta(seconds=1))
            batching = BatchingSettings(mode="inline", max_rows=1)
            core = Core(limits=limits, batching=batching, before=lambda: time.pass_(3.0))
            client = Client(Batcher(core, clock=time))
            client.send("a")
            client.send("b")
            client.send("patient", deadline=1010.0)
            for _ in range(5):
                await asyncio.sleep(0)
            assert core.scored == ["a", "patient"]
            assert type(dict(client.got)["b"]) is DeadlinePassed

        run(work())

    def test_what_would_wait_beyond_its_deadline_is_refused_at_once(self) -> None:
        async def work() -> None:
            curve = Curve(rows=(1, 64), seconds=(0.05, 3.2))
            go = threading.Event()
            batcher = Batcher(Core(curve=curve, before=lambda: go.wait(10)))
            client = Client(batcher)
            client.send("a", 60)
            client.send("b", deadline=monotonic() + 2.0)
            client.send("c", deadline=monotonic() + 60.0)
            assert [(id, type(outcome)) for id, outcome in client.got] == [("b", DeadlinePassed)]
            go.set()
            await batcher.drain()
            assert client.ids == ["b", "a", "c"]

        run(work())


class TestTrouble:
    def test_errors_of_some_are_not_those_of_others(self) -> None:
        async def work() -> None:
            core = Core(curve=FAST)
            batcher = Batcher(core)
            good, bad = await asyncio.gather(
                batcher.ask(Ask(id="a", rows=1)), batcher.ask(Ask(id="bad", rows=1)), return_exceptions=True
            )
            assert isinstance(good, Answer)
            assert isinstance(bad, SignatureMismatch)
            assert core.counters[names.ERRORS, "SignatureMismatch"] == 1
            assert core.counters[names.REQUESTS] == 2
            assert core.counters[names.LATENCY] == 1

        run(work())

    @pytest.mark.parametrize("mode", ["inline", "thread"])
    def test_a_core_that_raises_yet(self, mode: str, caplog) -> None:
        async def work() -> None:
            def fail() -> None:
                raise RuntimeError("no")

            core = Core(before=fail)
            client = Client(batcher := Batcher(core, mode=mode))
            client.send("a")
            client.send("b")
            await batcher.drain()
            assert client.ids == ["a", "b"]
            assert all(isinstance(outcome, ModelError) for _, outcome in client.got)

        run(work())
        assert "RuntimeError" in caplog.text

    def test_a_reply_that_raises_harms_no_other(self, caplog) -> None:
        async def work() -> None:
            def broken(_: Outcome) -> None:
                raise RuntimeError("connection lost")

            client = Client(batcher := Batcher(Core(curve=FAST)))
            batcher.submit(Ask(id="a", rows=1), broken)
            client.send("b")
            await batcher.drain()
            assert client.ids == ["b"]

        run(work())
        assert "connection lost" in caplog.text

    def test_who_waits_may_give_up(self) -> None:
        async def work() -> None:
            batcher = Batcher(Core(curve=FAST))
            waiting = asyncio.ensure_future(batcher.ask(Ask(id="a", rows=1)))
            await asyncio.sleep(0)
            waiting.cancel()
            await batcher.drain()
            assert (await batcher.drain()) is None

        run(work())

    @pytest.mark.parametrize("mode", ["inline", "thread", "window"])
    def test_drain_answers_all_and_takes_no_more(self, mode: str) -> None:
        async def work() -> None:
            core = Core(batching=BatchingSettings(max_rows=4, window=timedelta(milliseconds=5)))
            client = Client(batcher := Batcher(core, mode=mode))
            for number in range(10):
                client.send(str(number))
            draining = [asyncio.ensure_future(batcher.drain()) for _ in range(2)]
            await asyncio.sleep(0)
            client.send("late")
            await asyncio.gather(*draining)
            refused = dict(client.got)["late"]
            assert isinstance(refused, Overloaded)
            assert "shutting down" in str(refused)
            assert sorted(core.scored, key=int) == [str(number) for number in range(10)]
            assert len(client.got) == 11
            assert not [each for each in threading.enumerate() if each.name == "mlwright-delay"]

        run(work())


@pytest.mark.parametrize("mode", ["inline", "thread", "auto"])
def test_over_the_core_itself(kit, core, mode: str) -> None:
    """Each client gets its own rows back, and each request is counted once."""

    async def work() -> None:
        core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("challenger", 2, 0.5)))
        batcher = Batcher(core, mode=mode)
        asks = [
            kit.ask([f"k{number}.{row}" for row in range(number % 3 + 1)], request=f"r{number}")
            for number in range(30)
        ]
        outcomes = await asyncio.gather(*(batcher.ask(ask) for ask in asks))
        with pytest.raises(MlwrightError):
            await batcher.ask(kit.ask(["a"], x=None))
        await batcher.drain()
        for ask, outcome in zip(asks, outcomes, strict=True):
            assert outcome.id == ask.id
            scores = [
                int(version.removeprefix("m/")) + row / 1000 for row, version in enumerate(outcome.versions)
            ]
            assert list(outcome.outputs["score"]) == pytest.approx(scores)
        assert core.counters[names.REQUESTS] == 31
        assert core.counters[names.ERRORS] == 1
        assert core.counters[names.LATENCY] == 30
        assert core.counters[names.ROWS] == core.counters[names.ANSWERED_ROWS] == 60

    run(work())


STEP = st.one_of(
    st.tuples(
        st.just("ask"), st.integers(0, 2), st.integers(0, 12), st.sampled_from([None, -0.01, 0.0, 0.003, 5.0])
    ),
    st.tuples(st.just("yield"), st.integers(1, 3), st.just(0), st.none()),
    st.tuples(st.just("sleep"), st.integers(1, 2), st.just(0), st.none()),
    st.tuples(st.just("curve"), st.integers(0, 1), st.just(0), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(STEP, max_size=40),
    mode=st.sampled_from(["inline", "thread", "window", "auto"]),
    queue_rows=st.sampled_from([0, 20]),
    rate=st.sampled_from([0.0, 500.0]),
    slow_s=st.sampled_from([0.0, 0.0015]),
)
def test_whatever_the_order(
    steps: list[tuple[str, int, int, float | None]], mode: str, queue_rows: int, rate: float, slow_s: float
) -> None:
    """Each ask gets exactly one reply, its own; batches keep their bound; nothing is scored after its deadline."""

    async def work() -> None:
        late: list[str] = []

        class Watched(Core):
            def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
                late.extend(ask.id for ask in asks if ask.deadline < monotonic() - 0.5)
                return super().answer(asks)

        batching = BatchingSettings(max_rows=8, window=timedelta(milliseconds=1))
        limits = LimitSettings(queue_rows=queue_rows, client_rate=rate, client_burst=3 if rate else 0)
        core = Watched(batching=batching, limits=limits, curve=SLOW, before=lambda: sleep(slow_s))
        batcher = Batcher(core, mode=mode)
        clients = [Client(batcher) for _ in range(3)]
        sent: list[list[str]] = [[], [], []]
        rows: dict[str, int] = {}
        for number, (what, count, size, deadline) in enumerate(steps):
            if what == "ask":
                id = f"{count}.{number}"
                sent[count].append(id)
                rows[id] = size
                until = {} if deadline is None else {"deadline": monotonic() + deadline}
                clients[count].send(id, size, client=str(count), **until)
            elif what == "yield":
                for _ in range(count):
                    await asyncio.sleep(0)
            elif what == "sleep":
                await asyncio.sleep(count / 1000)
            else:
                core.curve = FAST if count else SLOW
        await batcher.drain()
        for client, ids in zip(clients, sent, strict=True):
            assert sorted(client.ids) == sorted(ids)
            for id, outcome in client.got:
                assert isinstance(outcome, MlwrightError) or (outcome.id, outcome.rows) == (id, rows[id])
            answered = [id for id, outcome in client.got if isinstance(outcome, Answer)]
            assert answered == [id for id in ids if id in set(answered)], "in the order of the client"
        assert sorted(core.scored) == sorted(
            id for client in clients for id, outcome in client.got if isinstance(outcome, Answer)
        )
        for batch in core.batches:
            assert len(batch) == 1 or sum(ask.rows for ask in batch) <= 8
        assert not late
        assert batcher.waiting_rows == batcher.scoring_rows == 0
        assert core.counters[names.REQUESTS] == len(rows)

    run(work())


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 3)), max_size=30), st.floats(0.0, 0.5))
def test_deadlines_on_a_clock_of_its_own(asks: list[tuple[int, float]], take_s: float) -> None:
    """With a clock that only the model moves, exactly what is past its deadline when its batch begins is dropped."""

    async def work() -> None:
        time = Time()
        begun: list[tuple[str, float]] = []

        class Watched(Core):
            def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
                begun.extend((ask.id, time.now) for ask in asks)
                return super().answer(asks)

        core = Watched(
            batching=BatchingSettings(mode="inline", max_rows=8), before=lambda: time.pass_(take_s)
        )
        client = Client(batcher := Batcher(core, clock=time))
        until = {}
        for number, (rows, left) in enumerate(asks):
            until[str(number)] = time.now + left
            client.send(str(number), rows, deadline=time.now + left)
        await batcher.drain()
        assert len(client.got) == len(asks)
        assert all(at < until[id] for id, at in begun)
        refused = {id for id, outcome in client.got if isinstance(outcome, DeadlinePassed)}
        assert refused == until.keys() - {id for id, _ in begun}

    run(work())
