"""Do tests call the functions that make features?"""

from collections.abc import Sequence

from mlwright.engineer.facts.code import Function, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.sides import feature_functions, imported
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity

_ENOUGH = 0.5


def look(repository: Repository) -> Answer:
    """Look for the names of the feature functions in the tests."""
    functions = feature_functions(repository)
    if not functions:
        return no_question("no function that makes features was recognised")
    said = frozenset[str]().union(*(test.words for test in repository.tests))
    tested = [(file, each) for file, each in functions if each.name.rpartition(".")[2].lower() in said]
    loose = [(file, each) for file, each in functions if each.name.rpartition(".")[2].lower() not in said]
    values = {"functions": len(functions), "tested": len(tested)}
    if len(tested) >= _ENOUGH * len(functions):
        return yes(
            f"tests name {len(tested)} of {counted(len(functions), 'feature function')}",
            *[file.at(each) for file, each in tested][:SHOWN],
            **values,
        )
    places = [file.at(each) for file, each in loose][:SHOWN]
    if tested:
        return unknown(
            f"tests name {len(tested)} of {counted(len(functions), 'feature function')}; coverage would tell",
            *places,
            **values,
        )
    open_to = _unsaid(functions, repository)
    if open_to:
        return unknown(open_to, *places, **values)
    why = "no test names" if repository.tests else "there are no tests of"
    return no(f"{why} {listed([each.name for _, each in functions], 3)}", *places, **values)


def _unsaid(functions: Sequence[tuple[PythonFile, Function]], repository: Repository) -> str:
    """Why it cannot be told although no test names a function; "" where it can."""
    if _reached([file for file, _ in functions], repository):
        return "tests name none of them and import what uses them; coverage would tell"
    if repository.released and not repository.tests:
        return "this is a source release without tests; its repository may have some"
    if not any(_of_tables(file, each) for file, each in functions):
        names = listed([each.name for _, each in functions], 3)
        return f"no test names {names}; what they prepare is no table of features"
    return ""


def _of_tables(file: PythonFile, function: Function) -> bool:
    """Whether a function takes rows or columns, by its file's libraries or its parameters."""
    return file.imports_any(*_FRAMES) is not None or not _ROWS.isdisjoint(function.parameters)


_FRAMES = (
    "pandas",
    "polars",
    "pyspark",
    "dask",
    "modin",
    "cudf",
    "geopandas",
    "sklearn",
    "featuretools",
    "duckdb",
)
_ROWS = frozenset("frame df dataframe table rows row X features record records pdf sdf".split())


def _reached(files: list[PythonFile], repository: Repository) -> bool:
    """Whether a test imports one of these files, or one that imports it."""
    direct = imported(repository.tests, repository.production)
    if any(each.path in direct for each in files):
        return True
    return bool(imported([each for each in repository.production if each.path in direct], files))


PROBE = Probe(
    id="data.feature_code_tested",
    title="the functions that make features are tested",
    why="A wrong feature raises no error: the model quietly learns the bug and serves it.",
    remedy="call each of them in a test on five rows whose answer you can work out by hand, nulls and edges included",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Data 7",
)
