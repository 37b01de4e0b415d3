"""Memory that is shared by its descriptor: it has no name, so nothing is left of it when both sides have ended."""

import contextlib
import fcntl
import mmap
import os
from tempfile import TemporaryFile
from typing import Final

SMALLEST: Final = 1 << 20
KEPT: Final = 64 << 20
"""What is larger is given back after the call that needed it."""
_LARGEST: Final = 16 << 30


class SharedMemory:
    """A mapping of at least so many bytes; the pages that are never written to take no memory."""

    def __init__(self, size: int) -> None:
        if size > _LARGEST:
            raise MemoryError(f"{size:,} bytes are more than {_LARGEST:,}")
        self.size: Final = max(SMALLEST, 1 << (size - 1).bit_length())
        self.descriptor: Final = _descriptor(self.size)
        try:
            self.map: Final = mmap.mmap(self.descriptor, self.size)
        except BaseException:
            os.close(self.descriptor)
            raise

    def let_go_of_descriptor(self) -> None:
        """Close it once the other side has its own."""
        os.close(self.descriptor)

    def close(self) -> None:
        """Unmap it; an array that still looks at it keeps it until it goes."""
        with contextlib.suppress(BufferError):
            self.map.close()


def _descriptor(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("mlwright", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, size)
            # The other side cannot cut it off: reading beyond the end would end this process with SIGBUS.
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    with TemporaryFile() as file:
        file.truncate(size)
        return os.dup(file.fileno())
