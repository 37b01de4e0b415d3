"""The project's own files: contracts, data sources, pipelines."""

from collections.abc import Iterator
from glob import glob, has_magic

from mlwright.engineer.findings import fails, holds, no_question, refused
from mlwright.errors import MlwrightError, NotFound, near_match
from mlwright.model.findings import Finding
from mlwright.model.settings import DatasetSettings
from mlwright.platform.facade import Platform
from mlwright.stages.pipelines.usercode import load_module


def contracts(platform: Platform) -> Iterator[Finding]:
    """Every contract file is valid."""
    for dataset in platform.parts.settings.datasets:
        id, title = f"contract.{dataset.name}", f"the contract of {dataset.name} is valid"
        if dataset.contract is None:
            yield no_question(
                id, title, f"data set {dataset.name} has no contract: nothing about it is checked"
            )
            continue
        try:
            contract = platform.parts.read_contract(dataset.contract)
        except MlwrightError as error:
            yield refused(id, title, error)
        else:
            evidence = f"{dataset.contract}: {contract.id}@{contract.version}, {len(contract.rules)} rules"
            yield holds(id, title, evidence)


def sources(platform: Platform) -> Iterator[Finding]:
    """Every data source is there. It is not read: ``mlwright check`` does that."""
    for dataset in platform.parts.settings.datasets:
        id, title = f"source.{dataset.name}", f"the source of {dataset.name} is there"
        try:
            yield holds(id, title, _find(platform, dataset))
        except MlwrightError as error:
            yield refused(id, title, error)


def pipelines(platform: Platform) -> Iterator[Finding]:
    """The pipeline files import, and every pipeline that settings name is one of theirs."""
    files = ", ".join(platform.parts.settings.pipelines)
    try:
        found = platform.training.pipelines()
    except MlwrightError as error:
        yield refused("pipelines", "the pipeline files import", error)
        return
    yield holds("pipelines", "the pipeline files import", f"{files}: {', '.join(found) or 'no pipeline'}")
    for endpoint in platform.parts.settings.endpoints:
        if endpoint.retrain is None:
            continue
        id, wanted = f"retrain.{endpoint.name}", endpoint.retrain.pipeline
        title = f"the retraining pipeline of {endpoint.name} exists"
        if wanted in found:
            yield holds(id, title, wanted)
        else:
            near = near_match(wanted, found)
            hint = f"; did you mean {near!r}?" if near else ""
            yield fails(
                id, title, f"no pipeline is named {wanted!r}{hint}", "correct retrain in mlwright.toml"
            )


def _find(platform: Platform, dataset: DatasetSettings) -> str:
    root = platform.parts.settings.root
    file, _, function = dataset.source.partition(".py:")
    if function:
        module = load_module(root / f"{file}.py", root)
        known = [name for name, value in vars(module).items() if callable(value)]
        if function not in known:
            raise NotFound.named(
                f"function in {file}.py", function, known, "correct 'source' in mlwright.toml"
            )
        return f"{dataset.source} can be called"
    pattern = str(root / dataset.source)
    there = glob(pattern, recursive=True) if has_magic(pattern) else glob(pattern + "*")
    if (not has_magic(pattern) and pattern not in there) or not there:
        raise NotFound("no such file", where=pattern, next_command="correct 'source' in mlwright.toml")
    return f"{len(there) if has_magic(pattern) else 1} files at {dataset.source}"
