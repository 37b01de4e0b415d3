"""What one model takes of a process that does nothing else. Few imports: what is imported here is measured too."""

import resource
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
import numpy as np

from mlwright.adapters.runtimes.folder import read_example, read_package
from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.model.batches import DTYPES, Array, Batch, batch_of
from mlwright.model.conversions import Footprint
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.pipelines.choosing import choose, not_loadable

_ROWS: Final = 64
_CALLS: Final = 20


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What this process used: processor seconds, resident bytes now and at most."""

    cpu_s: float
    rss: int | None
    peak: int | None


def usage() -> Usage:
    """What this process used so far; its memory where the system has ``/proc``."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    held = _memory()
    return Usage(cpu_s=used.ru_utime + used.ru_stime, rss=held.get("VmRSS"), peak=held.get("VmHWM"))


def footprint(folder: Path) -> Footprint:
    """Load the model of a folder and have it answer its example, which must be the first thing that this process does.

    Raises:
        ModelLoadFailed: nothing here loads it.
        SignatureMismatch: it refuses its example.
    """
    base = usage().rss
    started = perf_counter()
    choice = choose(all_runtimes(), folder)
    if choice.runtime is None:
        raise not_loadable(choice, all_runtimes())
    model = choice.runtime.load(folder)
    load_s = perf_counter() - started
    batch = _example(folder, model)
    before = perf_counter()
    model.infer(batch.taken(slice(0, 1)))
    first_s = perf_counter() - before
    for _ in range(_CALLS):
        model.infer(batch)
    held = usage()
    model.close()
    return Footprint(load_s=load_s, first_s=first_s, base=base, loaded=held.rss, peak=held.peak)


def _example(folder: Path, model: LoadedModel) -> Batch:
    """64 rows: the input example of the folder over and over; zeros and empty texts where it has none."""
    inputs = model.signature.inputs
    columns = read_example(read_package(folder))
    if columns is None:
        made: dict[str, Array] = {}
        for each in inputs:
            shape = (_ROWS, *(max(1, size) for size in each.shape))
            made[each.name] = (
                np.full(shape, "", object) if each.type == "string" else np.zeros(shape, DTYPES[each.type])
            )
        return Batch(_ROWS, made)
    batch = batch_of(inputs, {each.name: columns[each.name] for each in inputs if each.name in columns})
    return batch.taken(np.arange(_ROWS) % batch.rows)


def _memory() -> dict[str, int]:
    """``VmRSS`` and ``VmHWM`` in bytes; ru_maxrss would count the process that started this one as well."""
    if sys.platform != "linux":
        return {}
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    split = (line.split() for line in lines if line.startswith(("VmRSS:", "VmHWM:")))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in split}
