"""detect-secrets on text files: https://github.com/Yelp/detect-secrets.

Its plugins cost tens of microseconds a line and a pattern; here a search for each rule's sign over a whole file comes
first, and only the lines that hold one reach a plugin.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

from mlwright.adapters.scanners.reading import Folder, in_order, not_read
from mlwright.model.scans import Hit, Scan

NAME: Final = "detect-secrets"
TOPIC: Final = "secrets"
SIZE_LIMIT: Final = 1_000_000
NOTEBOOK_LIMIT: Final = 60_000_000
TOTAL_LIMIT: Final = 200_000_000

_BINARY: Final = tuple(
    ".7z .a .avi .bin .bmp .bz2 .cbm .ckpt .class .dat .db .dll .doc .docx .dylib .eot .exe .feather .gif .gz .h5"
    " .hdf5 .ico .jar .joblib .jpeg .jpg .keras .lz4 .mat .mo .mov .mp3 .mp4 .npy .npz .o .onnx .orc .parquet .pb .pdf"
    " .pickle .pkl .png .pptx .pt .pth .pyc .rar .rds .safetensors .sav .skops .so .sqlite .tar .tflite .tgz .tif"
    " .tiff .ttf .wav .webp .whl .woff .woff2 .xls .xlsx .xz .zip .zst".split()
)
# Text that people do not write: data, and what a tool made.
_DATA: Final = tuple(
    ".csv .tsv .jsonl .ndjson .arff .svg .css .map .min.js .bundle.js .lock .sum .po .ipr .iml .snap".split()
)
_MADE: Final = frozenset(
    "package-lock.json npm-shrinkwrap.json pnpm-lock.yaml poetry.lock uv.lock pdm.lock pipfile.lock yarn.lock"
    " cargo.lock conda-lock.yml pixi.lock gemfile.lock composer.lock packages.lock.json go.sum .secrets.baseline"
    " .terraform.lock.hcl".split()
)
_VENDORED: Final = frozenset(
    "node_modules bower_components site-packages .git .hg .svn .venv venv .tox .nox vendor third_party thirdparty"
    " __pycache__ .ipynb_checkpoints .mypy_cache .ruff_cache .pytest_cache .terraform .dvc".split()
)


class _Cell(msgspec.Struct):
    source: str | list[str] = ""


class _Notebook(msgspec.Struct):
    cells: list[_Cell] = []


_NOTEBOOKS: Final = msgspec.json.Decoder(_Notebook)


class DetectSecretsScanner:
    """Looks for secrets in text, and in the sources of notebooks' cells (their outputs hold images, not settings).

    Hits of severity error are what a person would agree is a secret; warnings are weaker: keys that are often public,
    passwords for this machine. Places that the project has marked (``pragma: allowlist secret``) are passed over.
    """

    topic = TOPIC

    def wants(self, path: str, size: int) -> bool:
        """Text that people write, of at most 1 MB; notebooks of at most 60 MB. No lock files, no vendored code."""
        *folders, name = path.lower().split("/")
        if (
            size <= 0
            or name in _MADE
            or name.endswith((*_BINARY, *_DATA))
            or not _VENDORED.isdisjoint(folders)
        ):
            return False
        return size <= (NOTEBOOK_LIMIT if name.endswith(".ipynb") else SIZE_LIMIT)

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """See ``Scanner.scan``."""
        try:
            # 0.2 s, as it brings a client for the network (that is never used here)
            from mlwright.adapters.scanners.secret_lines import Lines
        except ImportError:
            return Scan(
                scanner=NAME,
                version="",
                topic=TOPIC,
                missing="detect-secrets is not installed",
                install="pip install detect-secrets",
            )
        try:
            number = version(NAME)
        except PackageNotFoundError:
            number = ""
        look = Lines().look
        hits: list[Hit] = []
        looked_at = total = 0
        folder, waiting = Folder(root), sorted(set(paths))
        for done, path in enumerate(waiting):
            if total > TOTAL_LIMIT:
                hits.append(
                    not_read(path, f"this and {len(waiting) - done - 1:,} more, after 200 MB of text")
                )
                break
            limit = NOTEBOOK_LIMIT if path.lower().endswith(".ipynb") else SIZE_LIMIT
            data = folder.read(path, limit)
            if data is None:
                continue
            total += len(data)
            if len(data) > limit:
                hits.append(not_read(path, "too large"))
                continue
            if b"\0" in data[:8_000]:
                continue
            looked_at += 1
            hits += _file(path, data, look)
        return Scan(scanner=NAME, version=number, topic=TOPIC, looked_at=looked_at, hits=in_order(hits))


def _file(path: str, data: bytes, look: Callable[[str, int | None, bytes], list[Hit]]) -> list[Hit]:
    if not path.lower().endswith(".ipynb"):
        return look(path, None, data)
    try:
        notebook = _NOTEBOOKS.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [not_read(path, "not a notebook that can be read")]
    found: list[Hit] = []
    for number, cell in enumerate(notebook.cells, start=1):
        source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        found += look(path, number, source.encode("utf-8", "replace"))
    return found
