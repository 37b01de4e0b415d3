"""Is it checked that sources are fresh?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind, Plain
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, unsupported, yes
from mlwright.engineer.vocabulary.sources import NO_TABLES, literal, only_bundled, reads_tables, table_reads
from mlwright.engineer.vocabulary.validation import in_document
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_KEYS = frozenset(("freshness", "loaded_at_field", "latency", "maxAge", "max_age", "ttl"))
_CODE = ("freshness", "staleness", "max_age", "data_age", "is_fresh", "check_freshness", "stale_data")


def look(repository: Repository) -> Answer:
    """Look for freshness in contracts, dbt sources, checks, sensors and code."""
    found = list(_declared(repository))
    found += [
        file.at(call)
        for file, call in repository.calls(
            "*airflow*Sensor*", "*FileSensor", "*S3KeySensor", "*ExternalTaskSensor"
        )
    ]
    found += [
        Location(path=file.path)
        for file in repository.production
        if any(word in file.words for word in _CODE)
    ]
    found += [
        step.at for workflow in repository.workflows for step in workflow.running(r"dbt source freshness")
    ]
    if found:
        return yes(
            f"freshness is looked at in {counted(len(found), 'place')}", *found[:SHOWN], places=len(found)
        )
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    if not reads_tables(repository):
        return unsupported(NO_TABLES)
    reads = [literal(call) for _, call in table_reads(repository)]
    if all(path and "://" not in path and not path.lower().startswith("select") for path in reads):
        return unknown("only files of fixed names are read; whether somebody renews them cannot be seen")
    return no("no freshness rule, sensor or check of age in these files")


def _declared(repository: Repository) -> Iterator[Location]:
    for document in repository.of_kind(DocumentKind.DBT, DocumentKind.CONTRACT):
        for keys in _keys(document.data, ()):
            yield document.at(*keys)
            break
    for document in repository.documents:
        if document.path.endswith("mlwright.toml"):
            views = document.get("feature_view")
            for number, each in enumerate(views if isinstance(views, list) else []):
                if isinstance(each, dict) and each.get("ttl"):
                    yield document.at("feature_view", number, "ttl")
        elif any(tool == "Soda" for tool, _ in in_document(document)) and "freshness" in str(document.data):
            yield document.at()


def _keys(data: Plain, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if len(path) > 12:
        return
    pairs = (
        data.items() if isinstance(data, dict) else enumerate(data[:500]) if isinstance(data, list) else ()
    )
    for key, value in pairs:
        if key in _KEYS or (key == "property" and value in _KEYS):
            yield (*path, key)
        yield from _keys(value, (*path, key))


PROBE = Probe(
    id="data.freshness_checked",
    title="the age of the data is checked before it is used",
    why="When an upstream job stops, yesterday's file is still there: training goes on, on old news.",
    remedy="state a freshness for each source (dbt source freshness, a contract's latency) and fail when it is older",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    elsewhere=True,
    source="Open Data Contract Standard, service levels; ML Test Score (Breck et al. 2017), Monitoring 1",
)
