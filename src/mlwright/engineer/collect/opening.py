"""Opening a file that somebody else chose the name of."""

import os
import stat


def read_regular(path: str | os.PathLike[str], limit: int) -> bytes:
    """Up to ``limit`` bytes from the beginning of a regular file.

    Raises:
        OSError: it is gone, may not be read, is a link, a pipe, a socket or a device.
    """
    # Not to wait for a pipe that has taken the file's place since it was listed, and not to follow a link that has.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "not a regular file")
        parts = []
        while limit > 0 and (part := stream.read(limit)):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
