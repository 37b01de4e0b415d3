"""A data contract (Open Data Contract Standard v3.1) drafted from a sample that stands in the repository."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Final

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import FileEntry, Repository
from mlwright.engineer.fixes.profiling import ROWS, Unreadable, profiled
from mlwright.engineer.fixes.profiling import Column as Profiled
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.probes.data import contract
from mlwright.engineer.vocabulary.columns import (
    DIRECT,
    ENTITY_IDENTIFIERS,
    PROTECTED,
    PROXIES,
    ROW_IDENTIFIERS,
)
from mlwright.engineer.vocabulary.sources import literal, table_reads
from mlwright.model.findings import Outcome

_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
_MOST: Final = 3
_OTHER_PERSONAL: Final = re.compile(
    r"(.*_)?(name|birth_?day|birth_?date|date_?of_?birth|dob|age|address|ip|ip_?address|user_?name|latitude|longitude|lat|lon"
    r"|lng|salary|income|diagnosis|comment|comments|note|notes|message|text|description)",
    re.IGNORECASE,
)
_LATER: Final = (
    "a sample says what was, not what must be: go through the TODO(owner) and the limits before it blocks anything",
)


def plan(repository: Repository, read: Read) -> Draft:
    """Write one contract for each table that the code reads, as far as it stands in the repository."""
    if contract.look(repository).outcome is Outcome.TRUE:
        return NOTHING
    chosen = _samples(repository)
    if not chosen:
        return Draft(
            refused="no CSV, Parquet or JSON-lines file of the training data stands in the repository"
        )
    if len(chosen) > _MOST:
        shown = ", ".join(each.path for each in chosen[:_MOST])
        return Draft(
            refused=f"{len(chosen)} files could be the training data ({shown} …), and no code names one"
        )
    changes: dict[str, bytes] = {}
    notes: list[str] = []
    for each in chosen:
        slug = _slug(each.path)
        path = f"contracts/{slug}.odcs.yaml"
        if path in changes or read(path, head=1) is not None:
            notes.append(f"{path} is there already: left as it is")
            continue
        try:
            columns, rows = profiled(each, read)
        except Unreadable as error:
            notes.append(f"{each.path}: {error}")
            continue
        changes[path] = _contract(slug, each.path, columns, rows).encode()
    if not changes:
        return Draft(refused="; ".join(notes))
    return Draft(changes=changes, notes=(*notes, *_LATER))


def _samples(repository: Repository) -> Sequence[FileEntry]:
    """The tables that stand here: those whose name the code reads, else all there are."""
    there = [
        each
        for each in repository.files
        if each.path.lower().endswith(_SUFFIXES)
        and each.role in (Role.PRODUCTION, Role.DOCUMENT)
        and each.bytes
    ]
    named = {_name(literal(call)) for _, call in table_reads(repository)} - {""}
    named |= {
        _name(path)
        for file in repository.production
        for path, _ in file.paths
        if path.lower().endswith(_SUFFIXES)
    }
    read = [each for each in there if any(fnmatch(_name(each.path), pattern) for pattern in named)]
    return read or there


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _slug(path: str) -> str:
    stem = _name(path).partition(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:60] or "data"


def _contract(slug: str, path: str, columns: Sequence[Profiled], rows: int) -> str:
    lines = [
        f"# Drafted by mlwright assess from {_comment(path)}, {rows:,} rows{' (the first)' if rows >= ROWS else ''}.",
        "# Open Data Contract Standard v3.1: https://bitol-io.github.io/open-data-contract-standard/v3.1.0",
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {_quoted(slug)}",
        "version: 0.1.0",
        "status: draft # TODO(owner): active, once you have read it",
        "schema:",
        f"  - name: {_quoted(slug)}",
        "    physicalType: table",
        "    properties:",
    ]
    names = {each.name for each in columns}
    for each in columns:
        if each.name:
            lines += [f"      {line}" for line in _property(each, rows, names)]
    return "".join(f"{line}\n" for line in lines)


def _property(column: Profiled, rows: int, names: set[str]) -> list[str]:
    personal = _looks_personal(column.name)
    lines = [f"- name: {_quoted(column.name)}"]
    if column.logical_type:
        lines.append(f"  logicalType: {column.logical_type}")
    if column.nulls == 0 and rows:
        lines.append("  required: true # no null in the sample")
    elif rows:
        lines.append(f"  required: false # {100 * column.nulls / rows:.1f} % null in the sample")
    if personal:
        lines.append("  # TODO(owner): looks personal: classify it, and no value of it is shown here")
    if column.unique and rows >= 20 and not personal:
        if ROW_IDENTIFIERS.fullmatch(column.name) or ENTITY_IDENTIFIERS.fullmatch(column.name):
            lines.append(
                "  # TODO(owner): no value twice in the sample: primaryKey: true, if that must be so"
            )
    elif column.limits is not None and not personal:
        low, high = column.limits
        lines += [
            "  # The sample, widened. Values outside are kept and reported: TODO(owner): set the real limits.",
            f"  logicalTypeOptions: {{minimum: {low}, maximum: {high}}}",
            "  customProperties:",
            "    - property: action",
            "      value: keep",
        ]
    if f"{column.name}_duplicated_0" in names:
        lines.append("  # TODO(owner): two columns of the file have this name")
    return lines


def _looks_personal(name: str) -> bool:
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).replace("-", "_").replace(" ", "_")
    kinds = (DIRECT, PROTECTED, PROXIES, ENTITY_IDENTIFIERS, _OTHER_PERSONAL)
    return any(kind.fullmatch(each) for kind in kinds for each in (name, plain))


def _quoted(text: str) -> str:
    """A YAML scalar for any text; plain where nothing can be mistaken."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text) and text.lower() not in _WORDS:
        return text
    shown = "".join(
        f"\\{each}" if each in '"\\' else each if each.isprintable() else f"\\U{ord(each):08x}"
        for each in text
    )
    return f'"{shown}"'


_WORDS: Final = frozenset("y n yes no on off true false null nan inf e".split())


def _comment(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


FIX: Final = Fix(
    id="contract",
    title="draft a data contract from a sample",
    flips=("data.contract",),
    plan=plan,
)
