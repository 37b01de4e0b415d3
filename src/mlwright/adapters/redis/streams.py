"""Records over Redis streams, shared by the consumers of one group."""

import os
import re
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from mlwright.errors import DataError, MissingExtra, UsageError
from mlwright.ports.streams import Record, RecordStream, Result

SCHEMES: Final = ("redis", "rediss")
DEAD: Final = ":dead"
"""Behind the name of a stream: that of the records that were put aside."""
_TIMEOUT_S: Final = 10.0
_MOST_SCANS: Final = 1000

_FINISH: Final = """
local at, done = 2, 0
while at <= #ARGV do
  local many = tonumber(ARGV[at + 1])
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[at]) == 1 then
    local fields = {}
    for i = 1, many do fields[i] = ARGV[at + 1 + i] end
    redis.call('XADD', KEYS[2], '*', unpack(fields))
    done = done + 1
  end
  at = at + 2 + many
end
return done
"""
"""Writes a result only where its record was still in somebody's hands, in one step: of two consumers that both had a
record one writes."""


def open_stream(source: str, output: str, group: str) -> RecordStream:
    """Open one consumer of a stream, ``redis://[user:password@]host[:port]/[database/]stream``.

    Args:
        source: where records come from. The group is made where there is none, and begins at the oldest record.
        output: where results go; on the same server and database each is written once, else at least once.
        group: those who share the records.

    Raises:
        UsageError: an address is not of this form.
        MissingExtra: the client is not installed.
        DataError: nobody answers.
    """
    return RedisRecordStream(source, output, group)


class RedisRecordStream:
    """One consumer of a group; see :func:`open_stream`."""

    def __init__(self, source: str, output: str, group: str, *, consumer: str | None = None) -> None:
        try:
            import redis  # 0.1 s, and only streams need it
        except ImportError as error:
            raise MissingExtra.needed("Redis streams", "redis") from error
        self._failures = redis.RedisError
        server, self._stream = _parted(source)
        other, self._output = _parted(output)
        if (server, self._stream) == (other, self._output):
            raise UsageError("results would go to the stream that is read", where=hidden(source))
        self.name = hidden(source)
        self._group = group
        self._consumer = consumer or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._input = _client(redis, server)
        self._results = self._input if server == other else _client(redis, other)
        self._finish = self._input.register_script(_FINISH)
        with self._asking():
            self._join()

    def read(self, most: int, wait_s: float) -> Sequence[Record]:
        """See ``RecordStream.read``."""
        block = max(1, int(wait_s * 1000)) if wait_s > 0 else None
        with self._asking():
            try:
                found = self._read(most, block)
            except self._failures as error:
                if "NOGROUP" not in str(error):
                    raise
                self._join()  # the stream was deleted and made anew
                found = self._read(most, block)
        entries = [entry for _, entries in found or () for entry in entries]
        return [Record(id=id, fields=fields or {}) for id, fields in entries]

    def claim(self, most: int, idle_s: float) -> Sequence[Record]:
        """See ``RecordStream.claim``."""
        found: list[tuple[str, dict[str, str]]] = []
        cursor = "0-0"
        with self._asking():
            for _ in range(_MOST_SCANS):
                answer = self._input.xautoclaim(
                    self._stream,
                    self._group,
                    self._consumer,
                    int(idle_s * 1000),
                    start_id=cursor,
                    count=most - len(found),
                )
                cursor = answer[0]
                found += [(id, fields) for id, fields in answer[1] if id is not None and fields]
                if cursor == "0-0" or len(found) >= most:
                    break
            return [Record(id=id, fields=fields, deliveries=self._deliveries(id)) for id, fields in found]

    def finish(self, results: Sequence[Result]) -> None:
        """See ``RecordStream.finish``."""
        if not results:
            return
        entries = [(each.source, {"source": each.source, **each.fields}) for each in results]
        with self._asking():
            if self._results is self._input:
                self._write(self._output, entries)
                return
            with self._results.pipeline(transaction=True) as written:
                for _, fields in entries:
                    written.xadd(self._output, fields)
                written.execute()
            self._input.xack(self._stream, self._group, *(source for source, _ in entries))

    def bury(self, records: Sequence[Record], reasons: Sequence[str]) -> None:
        """See ``RecordStream.bury``; they go to the stream of this name with ``:dead`` behind it."""
        entries = [
            (
                each.id,
                {**each.fields, "source": each.id, "reason": reason, "deliveries": str(each.deliveries)},
            )
            for each, reason in zip(records, reasons, strict=True)
        ]
        with self._asking():
            self._write(self._stream + DEAD, entries)

    def close(self) -> None:
        """See ``RecordStream.close``."""
        with suppress(self._failures):
            mine = self._input.xpending_range(
                self._stream, self._group, "-", "+", 1, consumername=self._consumer
            )
            if not mine:  # a consumer that has records must stay, or nobody could claim them
                self._input.xgroup_delconsumer(self._stream, self._group, self._consumer)
        self._input.close()
        self._results.close()

    def _read(self, most: int, block: int | None) -> Any:
        return self._input.xreadgroup(
            self._group, self._consumer, {self._stream: ">"}, count=most, block=block
        )

    def _join(self) -> None:
        try:
            self._input.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except self._failures as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _deliveries(self, id: str) -> int:
        [about] = self._input.xpending_range(self._stream, self._group, id, id, 1) or [{}]
        return int(about.get("times_delivered", 1))

    def _write(self, stream: str, entries: Sequence[tuple[str, dict[str, str]]]) -> None:
        arguments: list[str] = [self._group]
        for source, fields in entries:
            flat = [part for pair in fields.items() for part in pair]
            arguments += [source, str(len(flat)), *flat]
        self._finish(keys=[self._stream, stream], args=arguments)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise DataError(
                "Redis does not do what it was asked for",
                where=self.name,
                why=f"{type(error).__name__}: {error}",
                next_command="redis-cli -u URL ping",
            ) from error


def hidden(url: str) -> str:
    """An address without its user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _parted(url: str) -> tuple[str, str]:
    """The address of the server and its database, and the name of the stream."""
    parts = urlsplit(url)
    found = re.fullmatch(r"/(?:(?P<database>\d+)/)?(?P<stream>[^/]+)", parts.path)
    if parts.scheme not in SCHEMES or not parts.hostname or found is None:
        raise UsageError(
            "this is no address of a stream",
            where=hidden(url),
            why="a stream is redis://HOST:PORT/STREAM, or redis://HOST:PORT/DATABASE/STREAM",
        )
    server = urlunsplit(parts._replace(path=f"/{found['database'] or 0}"))
    return server, unquote(found["stream"])


def _client(redis: Any, server: str) -> Any:
    # RESP 2: version 3 of the protocol gives other shapes, which the client hides in some of its versions only.
    return redis.Redis.from_url(
        server,
        decode_responses=True,
        encoding_errors="replace",
        protocol=2,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )
