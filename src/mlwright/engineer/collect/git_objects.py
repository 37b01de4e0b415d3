"""Reading git's object store, references and index from their files, within bounds; no program is run.

A repository's own configuration can name programs that git, or a library that follows it, would start; here only file
formats are read: gitformat-pack, gitformat-index and gitrepository-layout of git's documentation. Every object has a
size limit that is checked before it is inflated, so that a crafted pack ends as ``Broken``.
"""

import mmap
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from mlwright.engineer.collect.deltas import Broken, applied, inflated

_PACKS = 200
_CHAIN = 260  # of git gc --aggressive; the default is 50
_BUDGET = 300_000_000
_CACHED_BYTES = 64_000_000
_TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_SHA = re.compile(r"[0-9a-f]{40}")


def git_folder(root: Path) -> tuple[Path, Path] | None:
    """(work tree, git folder) around ``root``; ``.git`` may be a file that points to it."""
    for folder in (root, *root.parents):
        there = folder / ".git"
        if there.is_symlink():
            return None
        if there.is_dir():
            return (folder, there) if (there / "HEAD").is_file() else None
        if there.is_file():
            text = there.read_bytes()[:4_096].decode("utf-8", "replace").strip()
            if not text.startswith("gitdir:"):
                return None
            target = Path(os.path.normpath(folder / text.removeprefix("gitdir:").strip()))
            return (folder, target) if (target / "HEAD").is_file() else None
    return None


def common_folder(git: Path) -> Path:
    """The folder with objects and references: of a linked work tree, that of the main one."""
    pointer = git / "commondir"
    if pointer.is_file():
        return Path(os.path.normpath(git / pointer.read_bytes()[:4_096].decode("utf-8", "replace").strip()))
    return git


class _Pack:
    """One pack and its index (version 2), mapped into memory."""

    def __init__(self, index: Path) -> None:
        self.index = _mapped(index)
        self.data = _mapped(index.with_suffix(".pack"))
        if self.index[:8] != b"\xfftOc\x00\x00\x00\x02" or self.data[:4] != b"PACK":
            raise Broken("a pack of an unknown version")
        self.fan = struct.unpack(">256I", self.index[8 : 8 + 1024])
        self.count = self.fan[255]
        if (
            any(a > b for a, b in zip(self.fan, self.fan[1:], strict=False))
            or len(self.index) < 1072 + self.count * 28
        ):
            raise Broken("a pack index that is too short")

    def names(self, prefix: str) -> Iterator[str]:
        """The object names that begin with this hexadecimal prefix (of at least two digits)."""
        first = int(prefix[:2], 16)
        for at in range(self.fan[first - 1] if first else 0, self.fan[first]):
            name = self.index[1032 + at * 20 : 1052 + at * 20].hex()
            if name.startswith(prefix):
                yield name

    def offset(self, sha: bytes) -> int | None:
        low, high = self.fan[sha[0] - 1] if sha[0] else 0, self.fan[sha[0]]
        while low < high:
            middle = (low + high) // 2
            here = self.index[1032 + middle * 20 : 1052 + middle * 20]
            if here == sha:
                return self._offset_at(middle)
            low, high = (middle + 1, high) if here < sha else (low, middle)
        return None

    def _offset_at(self, position: int) -> int:
        start = 1032 + self.count * 24 + position * 4
        (value,) = struct.unpack(">I", self.index[start : start + 4])
        if value < 0x80000000:
            return int(value)
        start = 1032 + self.count * 28 + (value & 0x7FFFFFFF) * 8
        return int(struct.unpack(">Q", self.index[start : start + 8])[0])


def _mapped(path: Path) -> mmap.mmap:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


class Objects:
    """The objects of a repository; ``limit`` is the size in bytes over which one is not read.

    Raises ``Broken`` for what is missing, too large, or not as the format says.
    """

    def __init__(self, common: Path, limit: int = 1_000_000) -> None:
        self._folder = common / "objects"
        self._limit = limit
        self._spent = 0
        self._packs: list[_Pack] = []
        self._cache: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._cached = 0
        packs = self._folder / "pack"
        for index in sorted(packs.glob("*.idx"))[:_PACKS] if packs.is_dir() else ():
            try:
                self._packs.append(_Pack(index))
            except (OSError, ValueError, struct.error):
                continue

    def read(self, sha: str) -> tuple[str, bytes]:
        """(type, content) of an object by its full hexadecimal name."""
        try:
            kind, content = self._read(bytes.fromhex(sha), 0)
        except Broken:
            raise
        except (OSError, ValueError, struct.error, zlib.error, IndexError) as error:
            raise Broken(f"object {sha[:12]} cannot be read ({type(error).__name__})") from None
        return _TYPES.get(kind, "unknown"), content

    def named(self, prefix: str) -> list[str]:
        """The full names that begin with a prefix of at least four hexadecimal digits, at most ten."""
        found = {name for pack in self._packs for name in pack.names(prefix)}
        loose = self._folder / prefix[:2]
        if loose.is_dir():
            found |= {
                prefix[:2] + each for each in os.listdir(loose) if (prefix[:2] + each).startswith(prefix)
            }
        return sorted(found)[:10]

    def _read(self, sha: bytes, depth: int) -> tuple[int, bytes]:
        for number, pack in enumerate(self._packs):
            offset = pack.offset(sha)
            if offset is not None:
                if number:  # what was found here once is mostly found here again
                    self._packs.insert(0, self._packs.pop(number))
                return self._packed(pack, offset, depth)
        return self._loose(sha.hex())

    def _loose(self, name: str) -> tuple[int, bytes]:
        path = self._folder / name[:2] / name[2:]
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            content = zlib.decompressobj().decompress(stream.read(self._limit + 4_096), self._limit + 64)
        header, _, body = content.partition(b"\0")
        kind, _, size = header.partition(b" ")
        if not size.isdigit() or len(size) > 12 or int(size) != len(body):
            raise Broken(f"object {name[:12]} is larger than {self._limit:,} bytes, or cut off")
        return {value: key for key, value in _TYPES.items()}.get(kind.decode("ascii", "replace"), 0), body

    def _packed(self, pack: _Pack, offset: int, depth: int) -> tuple[int, bytes]:
        key = (id(pack), offset)
        if key in self._cache:
            return self._cache[key]
        if depth > _CHAIN or not 12 <= offset < len(pack.data):
            raise Broken("a chain of differences that does not end")
        byte = pack.data[offset]
        at, kind, size, shift = offset + 1, (byte >> 4) & 7, byte & 15, 4
        while byte & 0x80:
            byte = pack.data[at]
            at, size, shift = at + 1, size | (byte & 0x7F) << shift, shift + 7
            if shift > 60:
                raise Broken("an object without a size")
        if size > self._limit:
            raise Broken(f"an object of {size:,} bytes")
        if kind == 6:
            back, at = _back(pack.data, at)
            base = self._packed(pack, offset - back, depth + 1)
        elif kind == 7:
            base, at = self._read(pack.data[at : at + 20], depth + 1), at + 20
        else:
            return self._keep(key, kind, inflated(pack.data, at, size))
        return self._keep(key, base[0], applied(base[1], inflated(pack.data, at, size), self._limit))

    def _keep(self, key: tuple[int, int], kind: int, content: bytes) -> tuple[int, bytes]:
        self._cached += len(content)
        self._spent += len(content)
        if self._spent > _BUDGET:
            raise Broken(f"more than {_BUDGET // 1_000_000} MB of objects")
        if self._cached > _CACHED_BYTES:
            self._cache.clear()
            self._cached = len(content)
        self._cache[key] = (kind, content)
        return kind, content


def _back(data: mmap.mmap, at: int) -> tuple[int, int]:
    """How far before a difference its base lies, and where the difference begins."""
    byte = data[at]
    back = byte & 0x7F
    for _ in range(9):
        if not byte & 0x80:
            return back, at + 1
        at += 1
        byte = data[at]
        back = ((back + 1) << 7) | (byte & 0x7F)
    raise Broken("an offset without an end")


def references(git: Path, common: Path) -> dict[str, str]:
    """Every reference by its full name, at most 20,000; ``HEAD`` is resolved, and absent before the first commit."""
    found: dict[str, str] = {}
    packed = common / "packed-refs"
    if packed.is_file():
        for line in packed.read_bytes()[:8_000_000].decode("utf-8", "replace").splitlines()[:20_000]:
            sha, _, name = line.partition(" ")
            if _SHA.fullmatch(sha):
                found[name.strip()] = sha
    for folder, folders, names in os.walk(common / "refs"):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            text = _first_line(path)
            if _SHA.fullmatch(text) and len(found) < 20_000:
                found[path.relative_to(common).as_posix()] = text
    head = _first_line(git / "HEAD")
    for _ in range(5):
        if not head.startswith("ref:"):
            break
        name = head.removeprefix("ref:").strip()
        head = found.get(name, "")
    if _SHA.fullmatch(head):
        found["HEAD"] = head
    return found


def _first_line(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(500).decode("utf-8", "replace").split("\n", 1)[0].strip()
    except OSError:
        return ""
