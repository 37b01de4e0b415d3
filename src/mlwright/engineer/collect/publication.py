"""Whether a repository is published for others to build with, or runs something itself: signs with points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.fits import Fit
from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.configuration import Document, DocumentKind
from mlwright.engineer.facts.repository import FileEntry

ENOUGH: Final = 3
_MANY: Final = 8
_PUBLISHES: Final = (
    r"gh-action-\w+-publish",
    r"twine\s+upload",
    r"(uv|poetry|hatch|flit|pdm|maturin)\s+publish",
    r"rattler-build\s+upload",
)
_SITES: Final = frozenset(
    ("mkdocs.yml", "mkdocs.yaml", ".readthedocs.yaml", ".readthedocs.yml", "docs/conf.py")
)
_SITES_BELOW: Final = (
    "doc/conf.py",
    "docs/source/conf.py",
    "doc/source/conf.py",
    "docs/docusaurus.config.js",
)
_LAUNCHERS: Final = frozenset(("console_scripts", "gui_scripts"))
_READS: Final = frozenset(
    (
        *(
            "read_csv",
            "read_parquet",
            "read_sql",
            "read_json",
            "read_table",
            "read_excel",
            "load_dataset",
            "read_gbq",
        ),
        *(
            "read_database",
            "scan_parquet",
            "scan_csv",
            "ImageFolder",
            "image_dataset_from_directory",
            "read_feather",
        ),
    )
)
_SAVES: Final = frozenset(
    (
        *(
            "dump",
            "save",
            "save_model",
            "log_model",
            "save_pretrained",
            "to_pickle",
            "save_weights",
            "register_model",
        ),
        *("save_checkpoint", "export", "register"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something that speaks for one side, with its weight."""

    points: int
    what: str


def library_signs(
    python: Sequence[PythonFile], configuration: Configuration, files: Sequence[FileEntry]
) -> tuple[Sign, ...]:
    """What speaks for a package that others install."""
    return tuple(_library_signs(python, configuration, files))


def _library_signs(
    python: Sequence[PythonFile], configuration: Configuration, files: Sequence[FileEntry]
) -> Iterator[Sign]:
    paths = {each.path for each in files}
    if "PKG-INFO" in paths:
        yield Sign(points=4, what="PKG-INFO: this is a source distribution of a published package")
    yield from _metadata(python, configuration)
    if configuration.workflows and any(each.running(*_PUBLISHES) for each in configuration.workflows):
        yield Sign(points=2, what="a workflow publishes it to a package index")
    site = sorted(paths & {*_SITES, *_SITES_BELOW})
    if site:
        yield Sign(points=1, what=f"{site[0]} builds its documentation")
    defining = [
        file.path
        for file in python
        if file.role is Role.PRODUCTION
        for each in file.classes
        if {f"{each.name}.fit", f"{each.name}.predict"} <= {function.name for function in file.functions}
        or {f"{each.name}.fit", f"{each.name}.transform"} <= {function.name for function in file.functions}
    ]
    if len(defining) >= 2:
        points = 3 if len(defining) >= _MANY else 1
        yield Sign(
            points=points,
            what=f"{defining[0]} and {len(defining) - 1} more define fit and predict for others",
        )


def _metadata(python: Sequence[PythonFile], configuration: Configuration) -> Iterator[Sign]:
    pyproject = min(
        (each for each in configuration.documents if each.kind is DocumentKind.PYPROJECT),
        key=lambda each: (each.path.count("/"), each.path),
        default=None,
    )
    found = (
        tuple(_from_pyproject(pyproject)) if pyproject is not None and pyproject.path.count("/") <= 2 else ()
    )
    yield from found
    setup = next((file for file in python if file.path == "setup.py"), None)
    if setup is None or any(sign.points >= ENOUGH for sign in found):
        return
    if any(word.startswith("programming language ::") for word in setup.words) or any(
        call.method == "setup" and call.argument("classifiers") is not None for call in setup.calls
    ):
        yield Sign(points=3, what="setup.py has the classifiers of a package index")
    elif any(
        call.method == "setup" and (points := call.argument("entry_points")) and not _launches(points.text)
        for call in setup.calls
    ):
        yield Sign(points=3, what="setup.py offers entry points to other packages")
    elif setup.calls and not found:
        yield Sign(points=1, what="setup.py makes a package of it")


def _launches(text: str) -> bool:
    return any(each in text for each in _LAUNCHERS) or "{" not in text


def _from_pyproject(document: Document) -> Iterator[Sign]:
    project: Any = (
        document.get("project") or document.get("tool", "poetry") or document.get("tool", "flit", "metadata")
    )
    if not isinstance(project, dict):
        return
    classifiers = project.get("classifiers")
    classifiers = [str(each) for each in classifiers] if isinstance(classifiers, list) else []
    private = any(each.startswith("Private ::") for each in classifiers)
    dynamic = "classifiers" in (project.get("dynamic") or ())
    if (dynamic or any("::" in each for each in classifiers)) and not private:
        yield Sign(points=3, what=f"{document.path} has the classifiers of a package index")
    elif not private and document.get("build-system"):
        yield Sign(points=1, what=f"{document.path} makes a package of it")
    plugins: Any = project.get("entry-points") or document.get("tool", "poetry", "plugins")
    if isinstance(plugins, dict) and set(plugins) - _LAUNCHERS and not private:
        yield Sign(points=2, what=f"{document.path} offers entry points to other packages")


def application_signs(
    fits: Sequence[Fit], configuration: Configuration, files: Sequence[FileEntry], pipelines: Sequence[str]
) -> tuple[Sign, ...]:
    """What speaks for something that is trained and run here; ``pipelines`` are the tools that orchestrate it."""
    return tuple(_application_signs(fits, configuration, files, pipelines))


def _application_signs(
    fits: Sequence[Fit], configuration: Configuration, files: Sequence[FileEntry], pipelines: Sequence[str]
) -> Iterator[Sign]:
    paths = {each.path for each in files}
    if any(each.kind is DocumentKind.MLWRIGHT for each in configuration.documents):
        yield Sign(points=4, what="mlwright.toml")
    packages = {path.removesuffix("__init__.py") for path in paths if path.endswith("/__init__.py")}
    outside = [
        each for each in fits if each.driven and not any(each.file.path.startswith(root) for root in packages)
    ]
    scripts = [each for each in outside if not each.file.notebook and _is_script(each.file)]
    if scripts:
        yield Sign(points=3, what=f"{scripts[0].at} trains, from data to a saved model")
    if any(each.file.notebook for each in outside):
        yield Sign(points=1, what="notebooks train")
    trained = [tool for tool in pipelines if tool not in ("make", "mlwright")]
    if trained:
        yield Sign(points=2, what=f"a pipeline of {trained[0]}")
    if any(
        each.kind in ("Deployment", "StatefulSet", "InferenceService", "CronJob")
        for each in configuration.kubernetes
    ):
        yield Sign(points=1, what="manifests deploy it")
    if any(
        step.name in ("CMD", "ENTRYPOINT") for each in configuration.dockerfiles for step in each.instructions
    ):
        yield Sign(points=1, what="a Dockerfile starts it")


def _is_script(file: PythonFile) -> bool:
    methods = {call.method for call in file.calls}
    return (
        bool(methods & _READS)
        and bool(methods & _SAVES)
        and (file.main_guard or any(not c.scope for c in file.calls))
    )
