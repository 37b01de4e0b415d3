"""Opening what holds a pickle, within bounds, and handing it to picklescan."""

import bz2
import io
import logging
import lzma
import pickletools
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from picklescan.relaxed_zipfile import RelaxedZipFile
from picklescan.scanner import ScanResult, scan_pickle_bytes, scan_pytorch
from picklescan.torch import InvalidMagicError

from mlwright.adapters.scanners.joblib_arrays import MARKER, without_arrays

# It logs what it finds, hostile names and all, which would end on the terminal; we say it in hits.
logging.getLogger("picklescan").setLevel(logging.CRITICAL + 1)

READS_LIMIT: Final = 1_000_000
"""Reads of one pickle by a reader of opcodes: one to three for each opcode, of which each takes some 150 bytes."""
UNPACKED_LIMIT: Final = 128_000_000
RATIO_LIMIT: Final = 200
MEMBERS_LIMIT: Final = 10_000
PICKLES_LIMIT: Final = 1_000
DEPTH_LIMIT: Final = 2
HEADER_LIMIT: Final = 100_000

_TORCH: Final = (".pt", ".pth", ".bin", ".ckpt")
_CERTAIN: Final = (".pkl", ".pickle", ".joblib", ".p", ".sav")
_NUMPY: Final = b"\x93NUMPY"
_ZIP: Final = b"PK\x03\x04"
_NAMED: Final = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")
_RANK: Final = {"innocuous": 0, "suspicious": 1, "dangerous": 2}


@dataclass(slots=True)
class Budget:
    """What all files of a scan may cost together: reads by readers of opcodes, and bytes that are unpacked."""

    reads: int = 20_000_000
    unpacked: int = 1_000_000_000


@dataclass(slots=True)
class Seen:
    """What was seen in one file: pickles, the names that they import with picklescan's verdict, what was left out."""

    budget: Budget
    pickles: int = 0
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    left_out: str = ""

    def take(self, result: ScanResult) -> None:
        """Add a result of picklescan; the worse of two verdicts counts."""
        for each in result.globals:
            safety = each.safety.value
            # A name that only contains the word with which it marks what it cannot tell is a name like any other.
            if "unknown" in each.module + each.name and "unknown" not in (each.module, each.name):
                safety = "suspicious"
            key = (each.module, each.name)
            if _RANK[safety] >= _RANK[self.names.get(key, "innocuous")]:
                self.names[key] = safety


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Bounded(io.BytesIO):
    """Bytes that end early when they are read too often, which picklescan takes for a pickle that was cut off."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        super().__init__(data)
        self._budget = budget
        self.again()

    def again(self) -> None:
        """Let the next reader read as often as the first."""
        self.left = min(READS_LIMIT, self._budget.reads)

    def _count(self) -> bool:
        self.left -= 1
        self._budget.reads -= 1
        return self.left > 0

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) if self._count() else b""

    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(size) if self._count() else b""


def look(data: bytes, name: str, seen: Seen, depth: int = 0) -> None:
    """Look at one file's or member's bytes; ``name`` (in lower case) tells what it may be. Nothing is raised."""
    if depth > DEPTH_LIMIT:
        seen.left_out = "archives within archives"
        return
    try:
        if data.startswith(_ZIP):
            _archive(data, seen, depth)
        elif data.startswith(_NUMPY):
            _array(data, name, seen, depth)
        elif (unpacker := _unpacker(data)) is not None:
            _compressed(unpacker, data, name, seen, depth)
        elif _starts_as_pickle(data) or _is_old_pickle(data, name, seen.budget):
            _pickle(data, name, seen)
    except Exception as error:  # noqa: BLE001 - picklescan and zipfile raise whatever hostile bytes make of them
        seen.left_out = f"it cannot be read ({type(error).__name__})"


def _archive(data: bytes, seen: Seen, depth: int) -> None:
    """A zip archive: torch's and numpy's format. Sizes are checked before anything is unpacked."""
    with RelaxedZipFile(io.BytesIO(data)) as archive:
        members = sorted(archive.infolist(), key=lambda member: (member.filename, member.header_offset))
        if len(members) > MEMBERS_LIMIT:
            seen.left_out = f"more than {MEMBERS_LIMIT:,} members"
        for member in members[:MEMBERS_LIMIT]:
            name = member.filename.lower()
            try:
                with archive.open(member) as file:
                    head = file.read(8)
                if not (
                    name.endswith(_CERTAIN) or _starts_as_pickle(head) or head.startswith((_NUMPY, _ZIP))
                ):
                    continue
                if member.file_size > _room(member.compress_size, seen.budget):
                    seen.left_out = "an archive that unpacks to too much"
                    continue
                seen.budget.unpacked -= member.file_size
                with archive.open(member) as file:  # gives no more than file_size, whatever is packed
                    inner = file.read(member.file_size)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, OSError, EOFError):
                seen.left_out = "an archive that is damaged or locked"
                continue
            look(inner, name, seen, depth + 1)


def _array(data: bytes, name: str, seen: Seen, depth: int) -> None:
    """A .npy file: a pickle follows the header where the array holds objects, plain numbers otherwise."""
    wide = data[6:7] != b"\x01"
    start = 12 if wide else 10
    end = start + int.from_bytes(data[8:start], "little")
    if b"O" in data[start : min(end, start + HEADER_LIMIT)].partition(b"fortran_order")[0]:
        look(data[end:], ".pkl", seen, depth + 1)


def _unpacker(data: bytes) -> _Unpacker | None:
    """What unpacks joblib's compressed files, by their first bytes; lz4 needs a package of its own."""
    if data[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return zlib.decompressobj()
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31)
    if data.startswith(b"BZh"):
        return bz2.BZ2Decompressor()
    if data.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMADecompressor(memlimit=UNPACKED_LIMIT)
    return None


def _room(packed: int, budget: Budget) -> int:
    """How many bytes so many packed bytes may become."""
    return max(min(UNPACKED_LIMIT, budget.unpacked, max(RATIO_LIMIT * packed, 1_000_000)), 0)


def _compressed(unpacker: _Unpacker, data: bytes, name: str, seen: Seen, depth: int) -> None:
    room = _room(len(data), seen.budget)
    try:
        inner = unpacker.decompress(data, room + 1)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return  # it only began like one
    seen.budget.unpacked -= len(inner)
    if len(inner) > room:
        seen.left_out = "it unpacks to too much"
        inner = inner[:1_000_000]
    look(
        inner,
        name.rpartition(".")[0] if name.endswith((".gz", ".z", ".bz2", ".xz", ".lzma")) else name,
        seen,
        depth + 1,
    )


def _pickle(data: bytes, name: str, seen: Seen) -> None:
    """One pickle, or several one after another."""
    seen.pickles += 1
    if MARKER in data:
        pickles = without_arrays(_Bounded(data, seen.budget))
        if pickles is not None:
            for each in pickles:
                _one(_Bounded(each, seen.budget), seen)
            return
        seen.left_out = "what follows its first array"
    stream = _Bounded(data, seen.budget)
    if name.endswith(_TORCH):
        try:
            seen.take(scan_pytorch(stream, "pickle"))
        except InvalidMagicError:
            pass  # a pickle by another maker
        else:
            seen.left_out = seen.left_out or _too_long(stream)
            return
        stream = _Bounded(data, seen.budget)
    for _ in range(PICKLES_LIMIT):
        start = stream.tell()
        _one(stream, seen)
        # each alone, as picklescan carries the memo of one pickle over to the next
        if stream.tell() <= start or not _starts_as_pickle(data[stream.tell() : stream.tell() + 2]):
            break


def _one(stream: _Bounded, seen: Seen) -> None:
    start = stream.tell()
    stream.again()
    seen.take(scan_pickle_bytes(stream, "pickle", multiple_pickles=False))
    too_long = _too_long(stream)
    if not too_long:
        stream.seek(start)
        stream.again()
        too_long = "" if _ends(stream) else "what follows a broken opcode"
    seen.left_out = seen.left_out or too_long


def _too_long(stream: _Bounded) -> str:
    return "more opcodes than can be held" if stream.left <= 0 else ""


def _ends(stream: _Bounded) -> bool:
    """Whether the opcodes can be read up to the pickle's end."""
    try:
        for _ in pickletools.genops(stream):
            pass
    except Exception:  # noqa: BLE001 - pickletools raises whatever decoding raises
        return False
    return True


def _starts_as_pickle(data: bytes) -> bool:
    """Whether there is the opcode PROTO of protocol 2 to 5."""
    return len(data) > 1 and data[0] == 0x80 and data[1] <= 5


def _is_old_pickle(data: bytes, name: str, budget: Budget) -> bool:
    """Whether these bytes are a pickle of protocol 0 or 1, which any text may begin like: it must import something.

    A file whose name is no certain sign must also end as a pickle does.
    """
    named = False
    try:
        for opcode, argument, _ in pickletools.genops(_Bounded(data, budget)):
            named = named or (opcode.name in ("GLOBAL", "INST") and bool(_NAMED.fullmatch(str(argument))))
    except Exception:  # noqa: BLE001 - pickletools raises whatever decoding raises
        return named and name.endswith(_CERTAIN)
    return named or name.endswith(_CERTAIN)
