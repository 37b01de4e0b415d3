"""The exam of :class:`mlwright.ports.streams.RecordStream`.

::

    class TestMyStream(RecordStreamConformance):
        @pytest.fixture
        def bench(self) -> StreamBench: ...     # a stream of its own for each case

What a bench does besides opening consumers goes around the engine: another client sends, and looks at what is there.
"""

import time
from collections.abc import Sequence
from typing import Protocol

from mlwright.ports.streams import Record, RecordStream, Result
from mlwright.testing.conformance.gaps import Conformance


class StreamBench(Protocol):
    """One stream, from outside."""

    def consumer(self) -> RecordStream:
        """A new consumer of one group."""
        ...

    def send(self, fields: dict[str, str]) -> str:
        """Send one record; returns its id."""
        ...

    def results(self) -> Sequence[dict[str, str]]:
        """What was written, oldest first, with ``source``."""
        ...

    def buried(self) -> Sequence[dict[str, str]]:
        """What was put aside, with ``source`` and ``reason``."""
        ...


def _finish(stream: RecordStream, records: Sequence[Record]) -> None:
    stream.finish([Result(source=each.id, fields={"score": each.fields["x"]}) for each in records])


class RecordStreamConformance(Conformance):
    """What every stream promises. Subclasses supply ``bench``."""

    def test_nothing_is_there(self, bench: StreamBench) -> None:
        """An empty stream gives nothing, and waits no longer than it is told."""
        stream = bench.consumer()
        assert list(stream.read(10, 0)) == []
        assert list(stream.read(10, 0.01)) == []
        assert list(stream.claim(10, 0)) == []
        stream.finish([])
        stream.bury([], [])
        assert stream.name
        stream.close()

    def test_records_come_in_their_order_and_once(self, bench: StreamBench) -> None:
        """At most as many as were asked for; fields as they were sent."""
        ids = [
            bench.send({"x": str(number), "text": "a, \N{GREEK SMALL LETTER ALPHA}\n"}) for number in range(5)
        ]
        stream = bench.consumer()
        first, second = stream.read(3, 0), stream.read(3, 0)
        assert [each.id for each in [*first, *second]] == ids
        assert [each.fields["x"] for each in first] == ["0", "1", "2"]
        assert first[0].fields["text"] == "a, \N{GREEK SMALL LETTER ALPHA}\n"
        assert {each.deliveries for each in first} == {1}
        assert list(stream.read(3, 0)) == []
        _finish(stream, [*first, *second])
        stream.close()

    def test_consumers_share(self, bench: StreamBench) -> None:
        """No record goes to two of them."""
        ids = {bench.send({"x": str(number)}) for number in range(6)}
        one, other = bench.consumer(), bench.consumer()
        mine, theirs = one.read(3, 0), other.read(10, 0)
        assert {each.id for each in [*mine, *theirs]} == ids
        assert not {each.id for each in mine} & {each.id for each in theirs}
        for stream, records in ((one, mine), (other, theirs)):
            _finish(stream, records)
            stream.close()

    def test_results_name_their_records(self, bench: StreamBench) -> None:
        """They are written in order, and what is finished does not come again."""
        ids = [bench.send({"x": str(number)}) for number in range(3)]
        stream = bench.consumer()
        _finish(stream, stream.read(10, 0))
        assert [(each["source"], each["score"]) for each in bench.results()] == [
            (id, str(number)) for number, id in enumerate(ids)
        ]
        assert list(stream.claim(10, 0)) == []
        stream.close()

    def test_what_somebody_left_is_claimed(self, bench: StreamBench) -> None:
        """After the time that was said, oldest first, counting how often a record was handed out."""
        ids = [bench.send({"x": str(number)}) for number in range(3)]
        dead, alive = bench.consumer(), bench.consumer()
        dead.read(10, 0)
        assert list(alive.claim(10, 60)) == []
        time.sleep(0.02)
        [first] = alive.claim(1, 0.01)
        assert (first.id, first.deliveries, first.fields["x"]) == (ids[0], 2, "0")
        rest = alive.claim(10, 0.01)
        assert [each.id for each in rest] == ids[1:]
        _finish(alive, [first, *rest])
        assert len(bench.results()) == 3
        time.sleep(0.02)
        assert list(alive.claim(10, 0.01)) == []
        dead.close()
        alive.close()

    def test_a_closed_consumer_leaves_what_it_has(self, bench: StreamBench) -> None:
        """Others claim it."""
        id = bench.send({"x": "1"})
        gone = bench.consumer()
        assert len(gone.read(10, 0)) == 1
        gone.close()
        time.sleep(0.02)
        alive = bench.consumer()
        claimed = alive.claim(10, 0.01)
        assert [each.id for each in claimed] == [id]
        _finish(alive, claimed)
        alive.close()

    def test_two_that_finish_the_same_record(self, bench: StreamBench) -> None:
        """One was slow, the other claimed: whatever is written says whose it is."""
        id = bench.send({"x": "1"})
        slow, quick = bench.consumer(), bench.consumer()
        mine = slow.read(1, 0)
        time.sleep(0.02)
        theirs = quick.claim(1, 0.01)
        _finish(quick, theirs)
        _finish(slow, mine)
        assert {each["source"] for each in bench.results()} == {id}
        slow.close()
        quick.close()

    def test_what_is_buried(self, bench: StreamBench) -> None:
        """It stands aside with its fields and the reason, and does not come again."""
        id = bench.send({"x": "many"})
        stream = bench.consumer()
        stream.bury(stream.read(1, 0), ["x: is no number"])
        [only] = bench.buried()
        assert (only["source"], only["reason"], only["x"]) == (id, "x: is no number", "many")
        assert list(stream.claim(10, 0)) == []
        assert list(bench.results()) == []
        stream.close()

    def test_records_that_are_sent_while_it_waits(self, bench: StreamBench) -> None:
        """A consumer that was there first gets what comes later."""
        stream = bench.consumer()
        assert list(stream.read(5, 0)) == []
        id = bench.send({"x": "1"})
        records = stream.read(5, 1.0)
        assert [each.id for each in records] == [id]
        _finish(stream, records)
        stream.close()
