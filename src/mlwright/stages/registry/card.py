"""The model card of a version: facts with their source, and a TODO for every judgement that facts cannot give.

Sections after Mitchell et al. (2019), the block at its head as the Hugging Face Hub reads it
(huggingface.co/docs/hub/model-cards): ``library_name``, ``datasets``, ``metrics``, ``model-index``.
"""

from collections.abc import Iterator, Mapping

import yaml

from mlwright.model import cards
from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.registry import Field
from mlwright.stages.registry.dossier import Dossier

_SHOWN = 60
_HUB_LIBRARIES = {"pytorch": "pytorch", "sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm"}
_RESULTS = {Outcome.PASSED: "passed", Outcome.FAILED: "**failed**", Outcome.UNKNOWN: "*not known*"}


def card_text(dossier: Dossier) -> str:
    """The card in Markdown."""
    version = dossier.version
    parts = [f"---\n{_metadata(dossier)}---\n", f"# Model card: {_plain(version.ref)}\n"]
    parts.append(
        "<!-- Written by mlwright from what it recorded; what begins with TODO(owner) is for you. -->\n"
    )
    for title, write in _SECTIONS.items():
        lines = [f"- {line}" if not line.startswith(("|", "\n")) else line for line in write(dossier)]
        judgement = f"- {cards.todo(cards.JUDGEMENTS[title])}"
        table_last = bool(lines) and lines[-1].startswith("|")
        parts.append("\n".join([f"## {title}\n", *lines, *([""] if table_last else []), judgement]) + "\n")
    return "\n".join(parts)


def _metadata(dossier: Dossier) -> str:
    version, own = dossier.version, dossier.version.evaluation
    said: dict[str, object] = {"model_name": str(version.model)}
    if version.flavor in _HUB_LIBRARIES:
        said["library_name"] = _HUB_LIBRARIES[version.flavor]
    if dossier.is_classifier:
        said["pipeline_tag"] = "tabular-classification"
    names = list(dict.fromkeys(each.dataset.name for each in dossier.inputs))
    if names:
        said["datasets"] = names
    if own is not None and own.metrics:
        said["metrics"] = list(own.metrics)
        task = "tabular-classification" if dossier.is_classifier else "other"
        result: dict[str, object] = {
            "task": {"type": task},
            "dataset": {"name": "held-out rows", "type": names[0] if names else "held-out"},
            "metrics": [{"type": name, "value": value} for name, value in own.metrics.items()],
        }
        said["model-index"] = [{"name": version.ref, "results": [result]}]
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def _details(dossier: Dossier) -> Iterator[str]:
    version, run = dossier.version, dossier.run
    if version.description:
        yield f"Description: {_plain(version.description)}"
    who = f" by {_plain(version.actor)}" if version.actor else ""
    name = _plain(version.model)
    yield f"Registered {version.created:%Y-%m-%d %H:%M} UTC{who} as version {version.version} of `{name}`."
    if version.aliases:
        yield f"Aliases: {', '.join(f'`{_plain(each)}`' for each in version.aliases)}."
    if version.flavor:
        yield f"Flavor: `{_plain(version.flavor)}`."
    if version.digest:
        size = sum(each.size for each in dossier.files)
        yield f"Files: {len(dossier.files)}, {size:,} bytes, digest `{version.digest}`."
    if run is not None:
        yield f"Made by run `{_plain(run.id)}` ({_plain(run.name)}), {run.status}."
        if run.params:
            shown = list(run.params.items())[:_SHOWN]
            yield "Parameters: " + ", ".join(f"`{_plain(key)}={_plain(value)}`" for key, value in shown) + "."
    if run is not None and run.environment is not None:
        ran = run.environment
        commit = f", commit `{_plain(ran.git_commit)}`" if ran.git_commit else ""
        dirty = " with changes that were not committed" if ran.git_dirty else ""
        where = f"Python {_plain(ran.python)} on {_plain(ran.system)}"
        yield f"Trained with {where}{commit}{dirty}; code digest `{ran.code_digest}`."
    packages = dossier.packages()
    if packages:
        names = ", ".join(f"`{each.name} {each.version or each.wanted}`" for each in packages[:_SHOWN])
        more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
        yield f"Packages: {names}{more}."
    yield from _fields("Takes", version.inputs)
    yield from _fields("Gives", version.outputs)


def _nothing(dossier: Dossier) -> Iterator[str]:
    yield from ()


def _factors(dossier: Dossier) -> Iterator[str]:
    sliced = dossier.newest(EvidenceKind.GATE, "slices")
    found = _slices(sliced)
    if found:
        columns = list(dict.fromkeys(str(each.get("slice")).partition("=")[0] for each in found))
        yield f"Looked at by: {', '.join(f'`{_plain(each)}`' for each in columns)} (see {cards.ANALYSES.lower()})."


def _metrics(dossier: Dossier) -> Iterator[str]:
    for each in dossier.measured:
        low, high, level = each.estimate.lower, each.estimate.upper, each.estimate.level
        yield (
            f"{_plain(each.name)}: {each.estimate.value:.4f}, {level:.0%} interval {low:.4f} to {high:.4f} "
            f"on {each.rows:,} held-out rows of {each.days} days; assumed: {each.estimate.assumption}."
        )
    own, known = dossier.version.evaluation, {each.name for each in dossier.measured}
    for name, value in (own.metrics if own else {}).items():
        if name not in known:
            yield f"{_plain(name)}: {value:.4f} (no interval is known)."
    if own is None and dossier.run is not None:
        for name, value in list(dossier.run.metrics.items())[:_SHOWN]:
            yield f"{_plain(name)}: {value:.6g}, as the run logged it; on which rows is not recorded."


def _evaluation(dossier: Dossier) -> Iterator[str]:
    own = dossier.version.evaluation
    if own is None:
        yield "No held-out rows were registered with this version."
        return
    yield f"{own.rows:,} held-out rows from {own.start:%Y-%m-%d} to {own.end:%Y-%m-%d}."
    if own.holdout:
        yield f"Digest of the rows with their scores: `{own.holdout}`."
    if dossier.target:
        yield f"Target column: `{_plain(dossier.target)}`."


def _training(dossier: Dossier) -> Iterator[str]:
    version = dossier.version
    if version.trained_from and version.trained_to:
        yield f"Rows from {version.trained_from:%Y-%m-%d %H:%M} to {version.trained_to:%Y-%m-%d %H:%M} UTC."
    for each in dossier.inputs:
        role = each.tags.get("mlflow.data.context")
        used = f" as {_plain(role)}" if role else ""
        yield f"Data set `{_plain(each.dataset.name)}`{used}, digest `{_plain(each.dataset.digest)}`."
    for contract in dossier.contracts:
        yield f"Checked by contract `{_plain(contract)}`."
    if not dossier.inputs:
        yield "The run recorded no data set."


def _analyses(dossier: Dossier) -> Iterator[str]:
    for gate in ("evaluation", "calibration", "slices"):
        found = dossier.newest(EvidenceKind.GATE, gate)
        if found is not None:
            against = _plain(str(found.details.get("champion") or "nothing"))
            said = _plain(found.summary.partition(": ")[2])
            yield f"{gate.capitalize()} against {against}: {_RESULTS[found.outcome]}; {said}."
    slices = _slices(dossier.newest(EvidenceKind.GATE, "slices"))
    if slices:
        yield "\n| slice | rows | difference | lower | upper |"
        yield "|---|---:|---:|---:|---:|"
        for each in slices[:_SHOWN]:
            if "difference" in each:
                numbers = " | ".join(
                    f"{_number(each.get(key)):+.4f}" for key in ("difference", "lower", "upper")
                )
                yield f"| {_plain(str(each.get('slice')))} | {_number(each.get('rows')):,.0f} | {numbers} |"
            else:
                yield f"| {_plain(str(each.get('slice')))} | not judged: {_plain(str(each.get('not_judged')))} | | | |"


def _caveats(dossier: Dossier) -> Iterator[str]:
    """What was found out and did not pass, or was never found out."""
    for each in dossier.evidence:
        if each.outcome is not Outcome.PASSED and each.kind != EvidenceKind.GATE:
            yield f"{_plain(each.kind)}: {_RESULTS[each.outcome]}; {_plain(each.summary)}."
    if not any(each.kind == EvidenceKind.LOAD for each in dossier.evidence):
        yield "Nobody has yet loaded it in an environment made from its own requirements."
    if dossier.survey is not None and dossier.survey.notes:
        yield from (f"{_plain(each)}." for each in dossier.survey.notes)


_SECTIONS = {
    cards.DETAILS: _details,
    cards.USE: _nothing,
    cards.FACTORS: _factors,
    cards.METRICS: _metrics,
    cards.EVALUATION: _evaluation,
    cards.TRAINING: _training,
    cards.ANALYSES: _analyses,
    cards.ETHICS: _nothing,
    cards.CAVEATS: _caveats,
}


def _fields(verb: str, fields: tuple[Field, ...]) -> Iterator[str]:
    if fields:
        shown = ", ".join(
            f"`{_plain(each.name)}: {each.type}`" + ("" if each.required else " (may be missing)")
            for each in fields[:_SHOWN]
        )
        more = f" and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
        yield f"{verb}: {shown}{more}."


def _slices(found: Evidence | None) -> list[Mapping[str, object]]:
    listed = found.details.get("slices") if found else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else float("nan")


def _plain(text: str) -> str:
    """A text as one line that is no markup."""
    shown = "".join(each if each.isprintable() and each not in "`<>[]|" else " " for each in text)
    return " ".join(shown.split())[:300]
