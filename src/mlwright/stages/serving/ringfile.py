"""The memory behind a ring: a mapped file that outlives its process, and what others may do with it.

``<log>/ring/<started_us>-<pid>-<n>.ring`` is the file, or a symbolic link to it in ``/dev/shm``. Its owner holds an
exclusive ``flock`` on it as long as it lives, so whoever gets that lock knows that the owner is gone. A page of words
of 8 bytes, then the data::

    word 0   magic "MLRING1\\n", written last: without it the file is none yet
    word 1   bytes of data that it holds
    word 2   head: bytes ever put in       (both only grow, and are written by the owner alone, 8 bytes in one store;
    word 3   tail: bytes ever taken out     position p lies at p modulo the size)
    64…255   why it could not be emptied, a text; zeroes while it can be
    256…     30 pairs of a word and 120 bytes: rows dropped, and the endpoint that they were of

A frame's bytes are in the file before the head says so. The pages are allocated when it is made, so that a full disk
cannot end the process (SIGBUS) and no request allocates any.

``/dev/shm`` or the state folder? A page of a file on a disk is written back now and then, and the next store into it
waits for the file system. Measured on ext4 beside a process that writes and syncs without pause: 44 of 712,000 appends
took over 1 ms (at most 4 ms), against 1 of 851,000 in ``/dev/shm``. But in a container ``/dev/shm`` goes when the
container's first process does, so there the state folder it is.
"""

import fcntl
import mmap
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_MAGIC: Final = int.from_bytes(b"MLRING1\n", "little")
_PAGE: Final = 4096
_CAPACITY, _HEAD, _TAIL = 1, 2, 3
_TROUBLE: Final = slice(64, 256)
_DROPS: Final = 256
_DROP_BYTES: Final = 128
_MOST_DROPS: Final = (_PAGE - _DROPS) // _DROP_BYTES
_CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/run/secrets/kubernetes.io"))


class RingNotes:
    """What a ring says of itself besides its bytes: rows that were lost, and why it is not emptied."""

    def __init__(self, view: memoryview, words: memoryview) -> None:
        self._view = view
        self._words = words
        self._slots: dict[str, int] = {}

    def drop(self, endpoint: str, rows: int) -> None:
        """Count rows that were lost; those of endpoints for which there is no room are counted together as ``""``."""
        slot = self._slots.get(endpoint)
        if slot is None:
            slot = self._slots[endpoint] = min(len(self._slots), _MOST_DROPS - 1)
            name = endpoint.encode()[: _DROP_BYTES - 8] if slot < _MOST_DROPS - 1 else b""
            at = _DROPS + slot * _DROP_BYTES + 8
            self._view[at : at + len(name)] = name
        self._words[(_DROPS + slot * _DROP_BYTES) // 8] += rows

    @property
    def dropped(self) -> dict[str, int]:
        """Rows that were lost, by endpoint."""
        found: dict[str, int] = {}
        for slot in range(_MOST_DROPS):
            at = _DROPS + slot * _DROP_BYTES
            rows = self._words[at // 8]
            if rows:
                name = bytes(self._view[at + 8 : at + _DROP_BYTES]).rstrip(b"\0").decode(errors="replace")
                found[name] = found.get(name, 0) + rows
        return found

    @property
    def trouble(self) -> str | None:
        """Why it could not be emptied at the last try, if it could not."""
        return bytes(self._view[_TROUBLE]).rstrip(b"\0").decode(errors="replace") or None

    @trouble.setter
    def trouble(self, why: str | None) -> None:
        room = _TROUBLE.stop - _TROUBLE.start
        self._view[_TROUBLE] = (why or "").encode()[:room].ljust(room, b"\0")


class RingFile:
    """One mapped ring. One thread at a time may put, and one take; any process may look."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Map a file that is long enough; see :meth:`create` and :meth:`open`. The descriptor is given away."""
        self.path = path
        self._fd = descriptor
        self._map = mmap.mmap(descriptor, 0)
        self._view = memoryview(self._map)
        self._words = self._view[:_PAGE].cast("Q")
        self._data = self._view[_PAGE:]
        self._capacity = len(self._data)
        self._head = self._words[_HEAD]
        self.notes = RingNotes(self._view, self._words)

    @classmethod
    def create(cls, folder: Path, stem: str, capacity: int, shared: Path | None) -> "RingFile":
        """Make a ring, locked by the caller's process.

        Args:
            folder: where it is to be found, as ``<stem>-<n>.ring``.
            stem: the time and the process.
            capacity: bytes of data, a multiple of 8.
            shared: a folder in memory for the file; None keeps it in ``folder``.

        Raises:
            OSError: there is no room for it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path, descriptor = _claimed(folder, stem, shared)
        try:
            os.posix_fallocate(descriptor, 0, _PAGE + capacity)
            ring = cls(path, descriptor)
        except BaseException:
            os.close(descriptor)
            remove(path)
            raise
        ring._words[_CAPACITY] = capacity
        ring._words[0] = _MAGIC
        return ring

    @classmethod
    def open(cls, path: Path) -> "RingFile | None":
        """A ring to look into, or None where the file is gone or no ring yet. Take no lock for it."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        size = os.fstat(descriptor).st_size
        if size <= _PAGE:
            os.close(descriptor)
            return None
        try:
            ring = cls(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if ring._words[0] != _MAGIC or ring._words[_CAPACITY] != size - _PAGE:
            ring.close()
            return None
        return ring

    @property
    def capacity(self) -> int:
        """How many bytes it holds."""
        return self._capacity

    @property
    def head(self) -> int:
        """Bytes ever put in."""
        return self._words[_HEAD]

    @property
    def tail(self) -> int:
        """Bytes ever taken out."""
        return self._words[_TAIL]

    def put(self, frame: bytes, tail: int) -> int:
        """Put bytes in.

        Args:
            frame: whole frames, not empty.
            tail: at most :attr:`tail`, which is the caller's to remember: reading it costs more.

        Returns:
            How many bytes are in it now; 0 where there was no room for all of the frame, and none of it is.
        """
        size, head = len(frame), self._head
        if size > self._capacity - (head - tail):
            return 0
        start = head % self._capacity
        end = start + size
        if end <= self._capacity:
            self._data[start:end] = frame
        else:
            first = self._capacity - start
            self._data[start:] = frame[:first]
            self._data[: end - self._capacity] = frame[first:]
        self._head = head = head + size
        self._words[_HEAD] = head
        return head - tail

    def between(self, tail: int, head: int) -> Sequence[memoryview]:
        """The bytes between two positions, where they lie. Drop the views before :meth:`close`."""
        start, end = tail % self._capacity, head % self._capacity
        if start < end:
            return (self._data[start:end],)
        return tuple(each for each in (self._data[start:], self._data[:end]) if len(each))

    def taken(self, tail: int) -> None:
        """Give the room up to a position back."""
        self._words[_TAIL] = tail

    def rewind(self) -> int:
        """Where it is empty, go back to the first page, so that a ring little used takes little memory.

        Nobody may put meanwhile. Between the two stores the tail is beyond the head: empty too.

        Returns:
            The tail.
        """
        tail = self.tail
        if tail == self._head and tail % self._capacity:
            tail += self._capacity - tail % self._capacity
            self._words[_TAIL] = self._head = tail
            self._words[_HEAD] = tail
        return tail

    def pending(self) -> bytes:
        """The bytes that were put and not taken, for anybody: whole frames.

        What is taken meanwhile may be overwritten, but then it is in a journal already: read journals afterwards.
        """
        head, tail = self.head, self.tail
        if tail >= head or head - tail > self._capacity:
            return b""
        data = b"".join(self.between(tail, head))
        return data[max(0, self.tail - tail) :]

    def close(self) -> None:
        """Unmap it, and give up its lock."""
        self._data.release()
        self._words.release()
        self._view.release()
        self._map.close()
        os.close(self._fd)


def shared_folder(capacity: int) -> Path | None:
    """The folder in memory that a ring may lie in, or None where it has to lie in the state folder."""
    folder = Path("/dev/shm")
    if "container" in os.environ or any(each.exists() for each in _CONTAINER):
        return None
    try:
        room = os.statvfs(folder)
    except OSError:
        return None
    return folder if room.f_bavail * room.f_frsize >= 4 * capacity and os.access(folder, os.W_OK) else None


def orphaned(path: Path) -> int | None:
    """A descriptor that holds the lock of a ring whose owner is gone; None while it lives, or once it is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        path.unlink(missing_ok=True)  # a link whose file went with the machine's memory
        return None
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    os.close(descriptor)
    return None


def remove(path: Path) -> None:
    """Remove a ring: the file before the link, so that none is left that nobody finds."""
    if path.is_symlink():
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def ring_pid(path: Path) -> int:
    """The process that made the ring of that name."""
    return int(path.stem.rsplit("-", 2)[1])


def _claimed(folder: Path, stem: str, shared: Path | None) -> tuple[Path, int]:
    """A new empty file under a free name, locked before others may take it for one that was left behind."""
    number = 0
    while True:
        path = folder / f"{stem}-{number}.ring"
        number += 1
        if path.is_symlink() or path.exists():
            continue
        file = shared / f"mlwright-{os.urandom(8).hex()}.ring" if shared else path
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileExistsError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if shared is None and os.fstat(descriptor).st_nlink:
            return path, descriptor
        if shared is not None:
            try:
                path.symlink_to(file)
            except FileExistsError:
                file.unlink()
            else:
                return path, descriptor
        os.close(descriptor)
