"""A process that parses Python files for another one: paths come in, plain tuples go out.

It has its own small protocol in place of ``multiprocessing``, whose children look for modules in the working directory
first; that is the very repository whose code must never run. This one gets the places of its modules told.
"""

import gc
import marshal
import os
import signal
import struct
import sys
from typing import Any, Final

from mlwright.engineer.collect.expressions import RawFile

SECONDS: Final = 60
"""A file that takes longer ends this process; whoever started it notes the file and starts another."""
LENGTH: Final = struct.Struct("<Q")
HELLO: Final = "ready"


def read_one(root: str, path: str, limit: int) -> RawFile:
    """What one Python file or notebook says; under "gone" why it could not be read."""
    # Loaded here and not above: half of all files are read by a process that never meets the other kind.
    from mlwright.engineer.collect.opening import read_regular

    try:
        content = read_regular(os.path.join(root, path), limit)
    except OSError as error:
        return {"gone": error.strerror or type(error).__name__}
    if path.endswith(".ipynb"):
        from mlwright.engineer.collect.notebooks import parse_notebook

        return parse_notebook(path, content)
    from mlwright.engineer.collect.python_source import parse_file

    return parse_file(path, content)


def main() -> None:
    """Read the files that standard input names and write what each says to standard output, one after another."""
    # Trees hold no cycles, so nothing is lost without the collector, and a third of the time is won.
    gc.disable()
    root, files = marshal.loads(sys.stdin.buffer.read())
    _write(HELLO)
    for path, limit in files:
        signal.alarm(SECONDS)
        _write(read_one(root, path, limit))
        signal.alarm(0)


def _write(value: Any) -> None:
    content = marshal.dumps(value)
    sys.stdout.buffer.write(LENGTH.pack(len(content)) + content)
    sys.stdout.buffer.flush()
