"""An offline archive of Comet: a ZIP file, read in place. Nothing is unpacked to a path that it names.

What is believed of it is bounded: the number of entries, how much they claim to hold, how far they were squeezed, how
long a line is.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from mlwright.adapters.moving.confined import Confined, Guarded
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.texts import mapping, parse_json
from mlwright.errors import DataError

HEAD: Final = "experiment.json"
MESSAGES: Final = "messages.json"
_PIECE: Final = 1 << 20
_MOST_HEAD: Final = 4 * 1024 * 1024
_MOST_LINE: Final = 16 * 1024 * 1024
_MOST_MESSAGES: Final = 16 * 1024**3
_MOST_ENTRIES: Final = 100_000
_MOST_SQUEEZED: Final = 200
"""How many times larger than packed an entry of more than 64 MiB may be; a bomb has a factor of a thousand."""
_LARGE: Final = 64 * 1024 * 1024
_BROKEN: Final = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
)
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """One archive, opened anew for each reading, so that thousands of them hold no thousands of files open."""

    def __init__(self, folder: Confined, path: str, notes: Notes) -> None:
        self.path = path
        self._folder, self._notes = folder, notes

    def head(self) -> dict[str, object]:
        """What ``experiment.json`` says.

        Raises:
            Unreadable: this is no archive of Comet.
            DataError: it cannot be opened.
        """
        with self._folder.open(self.path) as file, self._opened(file) as packed:
            try:
                with packed.open(self._entry(packed, HEAD)) as stream:
                    data = stream.read(_MOST_HEAD + 1)
                if len(data) > _MOST_HEAD:
                    raise Unreadable(f"its {HEAD} is larger than {_MOST_HEAD >> 20} MiB")
                return mapping(parse_json(data))
            except Unreadable:
                raise
            except _BROKEN as error:
                raise Unreadable(f"its {HEAD} is damaged: {error}") from error

    def state(self) -> str:
        """Changes when the archive is written anew."""
        return self._folder.state(self.path)

    def messages(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Type and payload of each message in the order of logging; what is damaged is noted."""
        with self._folder.open(self.path) as file, self._opened(file) as packed:
            try:
                with io.BufferedReader(
                    cast("io.RawIOBase", packed.open(self._entry(packed, MESSAGES))), _PIECE
                ) as stream:
                    for number, line in self._lines(stream):
                        try:
                            said = mapping(parse_json(line))
                        except ValueError:
                            self._note(f"line {number} of {MESSAGES}", "it is no JSON, or cut off")
                            continue
                        yield str(said.get("type", "")), mapping(said.get("payload"))
            except _BROKEN as error:
                self._note(MESSAGES, f"damaged: {error}")

    def sizes(self) -> dict[str, int]:
        """The bytes of each entry that can be read, by its name in the archive."""
        with self._folder.open(self.path) as file, self._opened(file) as packed:
            found = {}
            for info in packed.infolist():
                fault = _fault(info)
                if not fault:
                    found[info.filename] = info.file_size
                elif not info.is_dir():
                    self._note(info.filename, fault)
            return found

    def open(self, name: str, shown: str) -> BinaryIO:
        """An entry of :meth:`sizes`.

        Raises:
            DataError: it cannot be opened; reading raises it, too.
        """
        file = self._folder.open(self.path)
        try:
            packed = self._opened(file)
            stream = packed.open(self._entry(packed, name))
        except (Unreadable, *_BROKEN) as error:
            file.close()
            raise DataError(
                "an artifact cannot be read",
                where=f"{self.path}: {shown}",
                why=str(error),
                next_command="look at the archive, then import again",
            ) from error
        return cast("BinaryIO", Guarded(stream, f"{self.path}: {shown}", packed, file))

    def _opened(self, file: BinaryIO) -> zipfile.ZipFile:
        try:
            packed = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise Unreadable(f"it is no ZIP archive, or cut off: {error}") from error
        if len(packed.filelist) > _MOST_ENTRIES:
            raise Unreadable(f"it has more than {_MOST_ENTRIES} entries")
        return packed

    def _entry(self, packed: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
        try:
            info = packed.getinfo(name)
        except KeyError:
            raise Unreadable(f"it has no {name}") from None
        if fault := _fault(info):
            raise Unreadable(f"its {name}: {fault}")
        return info

    def _lines(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        read = 0
        number = 0
        while line := stream.readline(_MOST_LINE):
            number += 1
            read += len(line)
            if read > _MOST_MESSAGES:
                self._note(MESSAGES, f"only its first {_MOST_MESSAGES >> 30} GiB are read")
                return
            if len(line) == _MOST_LINE and not line.endswith(b"\n"):
                self._note(f"line {number} of {MESSAGES}", f"it is longer than {_MOST_LINE >> 20} MiB")
                while (rest := stream.readline(_MOST_LINE)) and not rest.endswith(b"\n"):
                    read += len(rest)
                    if read > _MOST_MESSAGES:
                        return
                continue
            if line.strip():
                yield number, line

    def _note(self, what: str, why: str) -> None:
        self._notes.add(what, self.path, why)


def _fault(info: zipfile.ZipInfo) -> str:
    if info.is_dir():
        return "it is a folder"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "it is packed in a way that Comet does not use"
    if info.file_size > _LARGE and info.file_size > _MOST_SQUEEZED * max(info.compress_size, 1):
        return f"it claims {info.file_size >> 20} MiB out of {info.compress_size >> 10} KiB"
    return ""
