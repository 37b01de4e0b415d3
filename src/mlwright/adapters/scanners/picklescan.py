"""picklescan on pickled models: https://github.com/mmaitre314/picklescan.

It reads opcodes and judges the globals that they name; nothing is unpickled. Which global is dangerous is its business.
Ours is to hand it nothing that makes it use endless memory (it keeps all opcodes of a pickle, and whole members of an
archive), nothing that it would take for a pickle by its name only, and what it cannot read: compressed joblib files,
and joblib's arrays.
"""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from mlwright.adapters.scanners.reading import Folder, in_order, not_read, quoted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit, Scan

NAME: Final = "picklescan"
TOPIC: Final = "pickles"
FILE_LIMIT: Final = 128_000_000
TOTAL_LIMIT: Final = 1_000_000_000
NAMES_SHOWN: Final = 5
HITS_LIMIT: Final = 20
SUFFIXES: Final = (
    ".pkl",
    ".pickle",
    ".joblib",
    ".p",
    ".sav",
    ".pt",
    ".pth",
    ".bin",
    ".ckpt",
    ".npy",
    ".npz",
    ".dat",
    ".data",
)
COMPRESSIONS: Final = (".gz", ".z", ".bz2", ".xz", ".lzma")

# Dangerous in picklescan's eyes, and in the hands of one who means harm; but also what an honest pickle holds that
# carries a function of its authors (cloudpickle), a method or a partial. So it is a warning: somebody has to look.
_CODE: Final = {
    "functools": {"partial"},
    "operator": {"attrgetter", "itemgetter", "methodcaller"},
    "_operator": {"attrgetter", "itemgetter", "methodcaller"},
    "builtins": {"getattr"},
    "__builtin__": {"getattr"},
    "types": {"CodeType"},
    "uuid": {"UUID"},
}
_CODE_MODULES: Final = ("cloudpickle.cloudpickle", "cloudpickle")
# With one of these (suspicious only, alone) a getattr reaches everything.
_KEYS: Final = {"__import__", "globals", "vars", "setattr", "import_module", "__getattribute__"}


class PicklescanScanner:
    """Looks at what pickles import: .pkl, .joblib, .pt, object arrays, archives of them, compressed or not.

    ``dangerous-import`` is an error; ``code-import`` a warning: it runs code, as honest pickles of functions do
    as well; ``unlisted-import`` is information: a name that picklescan does not list, as any of
    scikit-learn's.
    ``Scan.looked_at`` counts the files that are pickles, whatever they are called.
    """

    topic = TOPIC

    def wants(self, path: str, size: int) -> bool:
        """Files with a suffix that pickles have, compressed or not; what is inside is told when they are read."""
        name = path.lower()
        for each in COMPRESSIONS:
            name = name.removesuffix(each)
        return name.endswith(SUFFIXES) and size > 0

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """See ``Scanner.scan``."""
        try:
            # brings an HTTP client and, for some files, numpy
            from mlwright.adapters.scanners.pickled import Budget, Seen, look
        except ImportError:
            return Scan(
                scanner=NAME,
                version="",
                topic=TOPIC,
                missing="picklescan is not installed",
                install="pip install picklescan",
            )
        try:
            number = version(NAME)
        except PackageNotFoundError:
            number = ""
        budget = Budget()
        hits: list[Hit] = []
        looked_at = total = 0
        folder, waiting = Folder(root), sorted(set(paths))
        for done, path in enumerate(waiting):
            if total > TOTAL_LIMIT:
                hits.append(not_read(path, f"this and {len(waiting) - done - 1:,} more, after 1 GB of them"))
                break
            data = folder.read(path, FILE_LIMIT)
            if data is None:
                continue
            total += len(data)
            seen = Seen(budget)
            if len(data) > FILE_LIMIT:
                seen.left_out = "larger than 128 MB"
            else:
                look(data, path.lower(), seen)
            del data
            looked_at += seen.pickles > 0
            hits += _hits(path, seen.names, seen.left_out)
        return Scan(scanner=NAME, version=number, topic=TOPIC, looked_at=looked_at, hits=in_order(hits))


def _hits(path: str, names: dict[tuple[str, str], str], left_out: str) -> list[Hit]:
    """Hits of one file: one for each dangerous name, one for all that picklescan does not list."""
    at = Location(path=path)
    dangerous = sorted(name for name, safety in names.items() if safety == "dangerous")
    unlisted = sorted(name for name, safety in names.items() if safety == "suspicious")
    keyed = any(name in _KEYS for _, name in names)
    hits = []
    for module, name in dangerous[:HITS_LIMIT]:
        code = _is_code(module, name) and not keyed
        rule, severity = ("code-import", Severity.WARNING) if code else ("dangerous-import", Severity.ERROR)
        said = "imports what runs code that the pickle brings" if code else "imports"
        hits.append(
            Hit(rule=rule, message=f"{said}: {quoted(f'{module}.{name}')}", severity=severity, location=at)
        )
    if unlisted:
        shown = ", ".join(quoted(f"{module}.{name}", 60) for module, name in unlisted[:NAMES_SHOWN])
        more = f" and {len(unlisted) - NAMES_SHOWN} more" if len(unlisted) > NAMES_SHOWN else ""
        message = f"imports names that picklescan does not list: {shown}{more}"
        hits.append(Hit(rule="unlisted-import", message=message, severity=Severity.INFO, location=at))
    if left_out:
        hits.append(not_read(path, left_out))
    return hits


def _is_code(module: str, name: str) -> bool:
    return module in _CODE_MODULES or name in _CODE.get(module, ())
