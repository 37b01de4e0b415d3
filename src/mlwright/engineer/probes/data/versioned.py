"""Can the data that trained a model be named later?"""

import re
from collections.abc import Iterable, Iterator

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.packages import calls_of, imports_of
from mlwright.engineer.vocabulary.sources import literal, only_bundled, table_reads
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_PACKAGES = {
    "dvc": "DVC",
    "dvclive": "DVC",
    "lakefs": "lakeFS",
    "lakefs_client": "lakeFS",
    "lakefs_sdk": "lakeFS",
    "quilt3": "Quilt",
    "python_pachyderm": "Pachyderm",
    "pachyderm_sdk": "Pachyderm",
    "deltalake": "Delta Lake",
    "delta": "Delta Lake",
    "pyiceberg": "Iceberg",
    "dolt": "Dolt",
    "hangar": "Hangar",
    "deeplake": "Deep Lake",
}
_CALLS = {
    "*.log_input": "mlflow.log_input",
    "*.use_artifact": "artifacts",
    "wandb.Artifact": "artifacts",
    "clearml.Dataset.*": "ClearML datasets",
    "*.versionAsOf": "Delta Lake",
    "mlwright.examples": "mlwright data sets",
    "hashlib.sha256": "a digest",
    "hashlib.md5": "a digest",
    "hashlib.sha1": "a digest",
    "hashlib.blake2b": "a digest",
    "hashlib.file_digest": "a digest",
    "joblib.hash": "a digest",
    "pandas.util.hash_pandas_object": "a digest",
}
# A date or version in a path, a query, or an address of the web: what it names may well stand still.
_NAMED = re.compile(
    r"\d{4}-?\d{2}-?\d{2}|(?<!\d)20\d{2}-\d{2}(?!\d)|^/kaggle/input/|[/_-]v\d+(\.\d+)*[/._-]|snapshot|version=|^\s*select\b|^https?:",
    re.IGNORECASE,
)


def look(repository: Repository) -> Answer:
    """Look for tools and calls that name data; tables read from nowhere in git without any are a fault."""
    found = sorted(_named(repository), key=lambda each: (each[1].path, each[1].line or 0, each[0]))
    if found:
        return yes(f"data is named by {listed(how for how, _ in found)}", *(at for _, at in found[:SHOWN]))
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    tracked = repository.history.tracked if repository.history is not None else frozenset[str]()
    here = {each.path for each in repository.files}
    reads = [(file.at(call), literal(call)) for file, call in table_reads(repository) if literal(call)]
    in_git, on_disk = _endings(tracked), _endings(here)
    kept = [at for at, path in reads if _plain(path) in in_git]
    if kept:
        return yes("tables that are read are kept in git with the code", *kept[:SHOWN], reads=len(kept))
    loose = [at for at, path in reads if not _NAMED.search(path) and _plain(path) not in on_disk]
    if not loose:
        return unknown(
            "where the training data comes from, and which state of it, cannot be read from the code"
        )
    return no(
        f"{counted(len(loose), 'table')} read by a name that does not say which state; no digest or version is kept",
        *loose[:SHOWN],
        reads=len(loose),
    )


def _named(repository: Repository) -> Iterator[tuple[str, Location]]:
    yield from imports_of(repository.production, _PACKAGES)
    readers = {file.path for file, _ in table_reads(repository)}
    for how, file, call in calls_of(repository, _CALLS):
        if how != "a digest" or file.path in readers:
            yield how, file.at(call)
    for file, call in repository.calls("datasets.load_dataset", "huggingface_hub.*download"):
        if call.argument("revision") is not None:
            yield "a revision", file.at(call)
    yield from (("DVC", Location(path=each.path)) for each in repository.find("*.dvc", "dvc.lock"))
    yield from (
        ("mlwright data sets", each.at("dataset"))
        for each in repository.documents
        if _declares(each.path) and each.get("dataset")
    )
    yield from ((each.tool, each.at) for each in repository.pipelines if each.tool == "dvc")


def _plain(path: str) -> str:
    """A path as code writes it, without where it starts from."""
    return path.removeprefix("./").replace("../", "")


def _endings(paths: Iterable[str]) -> frozenset[str]:
    """These paths from the root, and from each of their folders: code may run in any."""
    parts = [each.split("/") for each in paths]
    return frozenset("/".join(each[start:]) for each in parts for start in range(len(each)))


def _declares(path: str) -> bool:
    return path.rpartition("/")[2] == "mlwright.toml"


PROBE = Probe(
    id="data.versioned",
    title="the data that trained a model can be named",
    why="Without the very rows, a model can be neither rebuilt nor explained after the file was overwritten.",
    remedy="`dvc add data/` and commit the pointer, or log a digest of the rows with each run (mlflow.log_input)",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Infrastructure 1; Kreuzberger et al. 2022, principle 4",
)
