"""YAML, JSON and TOML files as documents: parsed, told apart by kind, with the lines of their keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlwright.engineer.collect.kinds import kind_of
from mlwright.engineer.collect.notations import json_tree, toml_tree
from mlwright.engineer.collect.trees import PLACEHOLDER, Tree, Unreadable, yaml_trees
from mlwright.engineer.facts.configuration import Document, DocumentKind

LARGEST = 1_000_000
_LARGEST_OTHER = 300_000

_DASHBOARD = re.compile(rb'"(?:gridPos|fieldConfig|datasource|__inputs)"')
_YAML_NAMES = {"mlproject", "mlmodel", "dvc.lock", "pipfile.lock"}
_NO_DOCUMENT = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|pipfile\.lock|uv\.lock|poetry\.lock"
    r"|pdm\.lock|pixi\.lock|pylock(?:\.[\w-]+)?\.toml|conda-lock\.ya?ml|[^/]*\.conda-lock\.ya?ml|cargo\.lock"
    r"|tsconfig[^/]*\.json|tokenizer\.json|vocab\.json|[^/]*\.ipynb|[^/]*\.geojson|[^/]*\.cassette\.ya?ml)$"
)


@dataclass(frozen=True, slots=True)
class Read:
    """What came of one file: its documents, whether a template was filled with placeholders, and why nothing came."""

    documents: tuple[Document, ...] = ()
    templated: bool = False
    note: str = ""


def large_dashboard(path: str, beginning: bytes) -> Document | None:
    """A dashboard of Grafana that is too large to be read: that it is there, and nothing of what stands in it."""
    if not (path.lower().endswith(".json") and b'"panels"' in beginning and _DASHBOARD.search(beginning)):
        return None
    return Document(path=path, kind=DocumentKind.GRAFANA, index=0, data={}, lines={(): 1})


def notation_of(path: str) -> str:
    """``yaml``, ``json`` or ``toml`` where a file of this name is read as documents, else ""."""
    low = path.lower()
    if _NO_DOCUMENT.search(low):
        return ""
    name = low.rpartition("/")[2]
    if name.endswith((".yaml", ".yml", ".dvc")) or name in _YAML_NAMES:
        return "yaml"
    if name.endswith(".json") or name in {".renovaterc"}:
        return "json"
    if name.endswith(".toml") or name == "pipfile":
        return "toml"
    return ""


def read_documents(path: str, raw: bytes, *, chart: bool = False) -> Read:
    """The documents of one file; never raises.

    ``chart`` tells that the file stands below ``templates`` of a Helm chart, whose ``{{ }}`` are then expected.
    """
    notation = notation_of(path)
    if not notation:
        return Read()
    if len(raw) > LARGEST:
        return Read(note=f"larger than {LARGEST // 1_000_000} MB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Read(note="not UTF-8")
    try:
        trees, templated = _trees(notation, text, chart)
    except Unreadable as error:
        return Read(note=str(error))
    documents = tuple(
        Document(path=path, kind=kind_of(path, tree.data), index=index, data=tree.data, lines=tree.lines)
        for index, tree in enumerate(trees)
        if tree.data is not None
    )
    if templated and not chart:
        documents = tuple(each for each in documents if each.kind is DocumentKind.KUBERNETES)
    kept = tuple(
        each
        for each in documents
        if notation != "json" or each.kind is not DocumentKind.OTHER or _settings(raw)
    )
    return Read(documents=kept, templated=templated)


def _settings(raw: bytes) -> bool:
    """Whether a JSON file of no known kind is small enough to be settings or metrics rather than data."""
    return len(raw) <= _LARGEST_OTHER


def _trees(notation: str, text: str, chart: bool) -> tuple[Sequence[Tree], bool]:
    if notation != "yaml":
        return [json_tree(text) if notation == "json" else toml_tree(text)], False
    if "{{" not in text:
        return yaml_trees(text), False
    if not chart:
        try:
            trees = yaml_trees(text)
        except Unreadable:
            trees = []
        if trees and not any(PLACEHOLDER in path for tree in trees for path in tree.lines):
            return trees, False
    return yaml_trees(filled(text)), True


_EXPRESSION = re.compile(r"\{\{(?:[^{}]|\{(?!\{)|\}(?!\})){0,1500}\}\}")
_ALONE = re.compile(r"^([ \t]*)\{\{-?\s*(.*?)\s*-?\}\}[ \t]*$")
_CONTROL = re.compile(
    r"(?:if|else|end|range|with|define|block|fail|break|continue)\b|\$\w+(?:\s*,\s*\$\w+)?\s*:?=|/\*"
)
_NINDENT = re.compile(r"n?indent\s+(\d{1,3})")


def filled(text: str) -> str:
    """A Helm template with its expressions replaced by a placeholder, line for line.

    A line that holds nothing but a control expression becomes empty. One that includes something becomes a key with
    the placeholder, at the depth that ``nindent`` names: what stands there is not known, which is not the same as
    nothing.
    """
    lines = []
    for line in _EXPRESSION.sub(_on_one_line, text).split("\n"):
        alone = _ALONE.match(line) if len(line) <= 2_000 else None
        if alone is None or "{{" in alone.group(2):
            pieces = _EXPRESSION.sub(_inline, line)
            alone_still = pieces.strip() == PLACEHOLDER
            lines.append(f"{pieces}: {PLACEHOLDER}" if alone_still else pieces if pieces.strip() else "")
        elif not alone.group(2) or _CONTROL.match(alone.group(2)):
            lines.append("")
        else:
            depth = _NINDENT.search(alone.group(2))
            indent = " " * int(depth.group(1)) if depth is not None else alone.group(1)
            lines.append(f"{indent}{PLACEHOLDER}: {PLACEHOLDER}")
    return "\n".join(lines)


def _on_one_line(found: re.Match[str]) -> str:
    inner = found.group()
    return inner.replace("\n", " ") + "\n" * inner.count("\n")


def _inline(found: re.Match[str]) -> str:
    inner = found.group()[2:-2].strip(" -")
    return "" if _CONTROL.match(inner) else PLACEHOLDER
