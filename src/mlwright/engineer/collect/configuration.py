"""Everything in a repository that is not code, read into facts in one pass over its files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlwright.engineer.collect.cloud import LARGEST as LARGEST_TERRAFORM
from mlwright.engineer.collect.cloud import TOTAL as TOTAL_TERRAFORM
from mlwright.engineer.collect.cloud import resources_of, terraform
from mlwright.engineer.collect.compose import composed
from mlwright.engineer.collect.dependencies import LARGEST_LIST, Dependencies
from mlwright.engineer.collect.dockerfiles import is_dockerfile, read_dockerfile
from mlwright.engineer.collect.documents import LARGEST, large_dashboard, notation_of, read_documents
from mlwright.engineer.collect.kubernetes import containers_of, objects_of
from mlwright.engineer.collect.observability import alerts_of
from mlwright.engineer.collect.pipelines_yaml import make_targets, pipelines_of, snakefile
from mlwright.engineer.collect.texts import LONGEST, TOTAL, is_text, patterns, read_text, weight
from mlwright.engineer.collect.walk import read_bytes
from mlwright.engineer.collect.workflows import jenkins, workflows_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import (
    AlertRule,
    CloudResource,
    Container,
    Dockerfile,
    Document,
    IndexOption,
    KubernetesObject,
    LockFile,
    PipelineDefinition,
    Requirement,
    Text,
    Workflow,
)
from mlwright.engineer.facts.repository import FileEntry
from mlwright.model.findings import Location

_MOST_DOCUMENTS = 4_000
_MOST_BYTES = 48_000_000
_MOST_NOTES = 200
_LARGEST_TEXT = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What ``read_configuration`` found; every tuple is sorted by path, then line. The fields are Repository's."""

    documents: tuple[Document, ...] = ()
    dockerfiles: tuple[Dockerfile, ...] = ()
    kubernetes: tuple[KubernetesObject, ...] = ()
    containers: tuple[Container, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    resources: tuple[CloudResource, ...] = ()
    alerts: tuple[AlertRule, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    locks: tuple[LockFile, ...] = ()
    indexes: tuple[IndexOption, ...] = ()
    texts: tuple[Text, ...] = ()
    ignored: tuple[str, ...] = ()
    pipelines: tuple[PipelineDefinition, ...] = ()
    unread: tuple[str, ...] = ()


def read_configuration(root: Path, files: Sequence[FileEntry]) -> Configuration:
    """Read what is declared outside of code. Nothing is executed, and what cannot be read is noted, never raised.

    Documents, Dockerfiles, workflows and cloud resources of tests, examples, documentation and vendored code are left
    out: what stands there says nothing about how this project runs.
    """
    reading = _Reading(root, files)
    reading.run()
    return reading.result()


_RUNS = (Role.PRODUCTION, Role.TOOL)


@dataclass(slots=True)
class _Reading:
    """The state of one pass: what was found so far, and how many bytes were read."""

    root: Path
    files: Sequence[FileEntry]
    documents: list[Document] = field(default_factory=list)
    templated: set[str] = field(default_factory=set)
    dockerfiles: list[Dockerfile] = field(default_factory=list)
    dependencies: Dependencies = field(default_factory=Dependencies)
    resources: list[CloudResource] = field(default_factory=list)
    workflows: list[Workflow] = field(default_factory=list)
    pipelines: list[PipelineDefinition] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    unread: list[str] = field(default_factory=list)
    size: int = 0
    terraform_bytes: int = 0

    def run(self) -> None:
        """Read file by file, in order of path."""
        entries = sorted(
            (each for each in self.files if each.role is not Role.VENDORED), key=lambda each: each.path
        )
        charts = {each.path.rpartition("/")[0] for each in entries if each.path.endswith("Chart.yaml")}
        for entry in entries:
            self._file(entry, charts)
        by_path = {each.path: each for each in entries}
        for _ in range(4):  # a requirement file may name another, which names another
            for path, group in self.dependencies.wanted(by_path.__contains__):
                self.dependencies.add_wanted(path, group, self._bytes(by_path[path], LARGEST_LIST))
        self._texts([each for each in entries if each.role is not Role.TEST and is_text(each.path)])

    def _file(self, entry: FileEntry, charts: set[str]) -> None:
        path = entry.path
        limit = self.dependencies.limit(path)
        if path == ".gitignore":
            self.ignored = patterns(self._bytes(entry, LARGEST))
        if limit:
            raw = self._bytes(entry, limit)
            if len(raw) < limit:
                self.dependencies.add(path, entry.role, raw)
            else:
                self._note(path, f"larger than {limit / 1e6:g} MB")
        elif entry.role in _RUNS and is_dockerfile(path):
            found = read_dockerfile(path, self._text(entry))
            self.dockerfiles += [found] if found is not None else []
        elif entry.role in _RUNS and notation_of(path):
            self._document(entry, charts)
        elif entry.role in _RUNS:
            self._by_name(entry)

    def _by_name(self, entry: FileEntry) -> None:
        path = entry.path
        name = path.rpartition("/")[2]
        if name.endswith(".tf"):
            self._terraform(entry)
        elif name == "Jenkinsfile" or name.endswith(".jenkinsfile"):
            self.workflows.append(jenkins(path, self._text(entry)))
        elif name.lower() in {"makefile", "gnumakefile", "justfile"} or name.endswith(".mk"):
            self.pipelines += make_targets(path, self._text(entry))
        elif name == "Snakefile" or name.endswith(".smk"):
            self.pipelines += snakefile(path, self._text(entry))

    def _terraform(self, entry: FileEntry) -> None:
        if entry.bytes > LARGEST_TERRAFORM or self.terraform_bytes > TOTAL_TERRAFORM:
            self._note(
                entry.path, f"Terraform of more than {TOTAL_TERRAFORM / 1e6:g} MB, or 300 kB in one file"
            )
            return
        self.terraform_bytes += entry.bytes
        found, why = terraform(entry.path, self._text(entry))
        self.resources += found
        if why:
            self._note(entry.path, f"{why}; only its headers were read")

    def _document(self, entry: FileEntry, charts: set[str]) -> None:
        if entry.bytes > LARGEST:
            board = large_dashboard(entry.path, self._bytes(entry, _LARGEST_TEXT))
            self.documents += [board] if board is not None else []
            self._note(entry.path, f"larger than {LARGEST // 1_000_000} MB")
            return
        if len(self.documents) >= _MOST_DOCUMENTS:
            return
        chart = any(entry.path.startswith(f"{folder}/templates/".lstrip("/")) for folder in charts)
        read = read_documents(entry.path, self._bytes(entry, LARGEST), chart=chart)
        self.documents += read.documents
        if read.templated:
            self.templated.add(entry.path)
        if read.note:
            self._note(entry.path, read.note)
        for document in read.documents:
            self.dependencies.add_document(document)

    def _texts(self, entries: list[FileEntry]) -> None:
        size = 0
        for entry in sorted(entries, key=lambda each: weight(each.path)):
            if size >= TOTAL:
                self._note(entry.path, f"texts of more than {TOTAL // 1_000_000} MB were read before it")
                break
            text = read_text(entry.path, self._bytes(entry, LONGEST * 4))
            size += len(text.content)
            self.texts.append(text)

    def _text(self, entry: FileEntry) -> str:
        return self._bytes(entry, _LARGEST_TEXT).decode("utf-8-sig", errors="replace")

    def _bytes(self, entry: FileEntry, limit: int) -> bytes:
        if self.size >= _MOST_BYTES:
            self._note(
                entry.path, f"configuration of more than {_MOST_BYTES // 1_000_000} MB was read before it"
            )
            return b""
        try:
            raw = read_bytes(self.root, entry, limit)
        except OSError as error:
            self._note(entry.path, error.strerror or "cannot be read")
            return b""
        self.size += len(raw)
        return raw

    def _note(self, path: str, why: str) -> None:
        if len(self.unread) < _MOST_NOTES:
            self.unread.append(f"{path}: {why}")

    def result(self) -> Configuration:
        """What was found, and what follows from it, sorted."""
        requirements, locks, indexes = self.dependencies.settle()
        documents = tuple(sorted(self.documents, key=lambda each: (each.path, each.index)))
        kubernetes = objects_of(documents, self.templated)
        containers = (*containers_of(kubernetes), *composed(documents))
        workflows = (*self.workflows, *workflows_of(documents))
        pipelines = (*self.pipelines, *pipelines_of(documents, kubernetes, containers, workflows))
        resources = (*self.resources, *resources_of(documents))
        return Configuration(
            documents=documents,
            dockerfiles=tuple(self.dockerfiles),
            kubernetes=kubernetes,
            containers=tuple(sorted(containers, key=lambda each: (_place(each.at), each.name))),
            workflows=tuple(sorted(workflows, key=lambda each: (each.path, each.name))),
            resources=tuple(sorted(resources, key=lambda each: (_place(each.at), each.type, each.name))),
            alerts=alerts_of(documents, kubernetes),
            requirements=requirements,
            locks=locks,
            indexes=indexes,
            texts=tuple(sorted(self.texts, key=lambda each: each.path)),
            ignored=self.ignored,
            pipelines=tuple(sorted(pipelines, key=lambda each: (_place(each.at), each.tool, each.name))),
            unread=tuple(sorted(self.unread)),
        )


def _place(at: Location) -> tuple[str, int]:
    return at.path, at.line or 0
