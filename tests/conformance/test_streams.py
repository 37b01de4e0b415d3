"""Streams of records. The one on Redis needs a server: ./dev verify (tests/verify/test_redis_stream.py) starts one."""

import importlib.util
import socket
import sys

import pytest

from mlwright.adapters.redis.streams import RedisRecordStream, hidden, open_stream
from mlwright.errors import DataError, MissingExtra, UsageError
from mlwright.testing.conformance.streams import RecordStreamConformance
from mlwright.testing.fakes.streams import MemoryRecordStream, StreamMemory


class MemoryBench:
    def __init__(self) -> None:
        self.memory = StreamMemory()

    def consumer(self) -> MemoryRecordStream:
        return MemoryRecordStream(self.memory)

    def send(self, fields: dict[str, str]) -> str:
        return self.memory.add(fields)

    def results(self) -> list[dict[str, str]]:
        return [{"source": each.source, **each.fields} for each in self.memory.results]

    def buried(self) -> list[dict[str, str]]:
        return [
            {**record.fields, "source": record.id, "reason": reason} for record, reason in self.memory.buried
        ]


class TestMemoryRecordStream(RecordStreamConformance):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()


needs_client = pytest.mark.skipif(
    importlib.util.find_spec("redis") is None, reason="the extra redis is not installed"
)


@needs_client
@pytest.mark.parametrize(
    "url", ["redis://host", "redis://host/", "redis://host/a/b", "redis:///rows", "http://host/rows", "rows"]
)
def test_addresses_that_are_none(url) -> None:
    with pytest.raises(UsageError, match="redis://HOST"):
        open_stream(url, "redis://host/out", "g")


@needs_client
def test_a_stream_is_not_its_own_output() -> None:
    with pytest.raises(UsageError, match="the stream that is read"):
        open_stream("redis://host/rows", "redis://host/0/rows", "g")


@needs_client
def test_nobody_answers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        unused_port = probe.getsockname()[1]
    url = f"redis://ada:secret@127.0.0.1:{unused_port}/rows"
    with pytest.raises(DataError) as caught:
        RedisRecordStream(url, url + "-scored", "g")
    assert "secret" not in str(caught.value)
    assert f"redis://127.0.0.1:{unused_port}/rows" in str(caught.value)
    assert hidden(url) == f"redis://127.0.0.1:{unused_port}/rows"


def test_without_the_client(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"mlwright\[redis\]"):
        open_stream("redis://host/rows", "redis://host/out", "g")
