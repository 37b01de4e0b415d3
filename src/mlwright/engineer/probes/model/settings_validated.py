"""Is a misspelt setting noticed before a night of training?"""

import re
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.learning import importing, training_side
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_TYPED: Final = (
    "pydantic", "pydantic_settings", "jsonargparse", "tyro", "simple_parsing", "hydra.core.config_store", "typer",
    "tap", "jsonschema", "cerberus", "voluptuous", "marshmallow", "yamale", "strictyaml", "dacite", "cattrs",
    "msgspec", "schema", "pykwalify", "draccus", "pyrallis", "transformers.HfArgumentParser", "mlwright", "gin",
    "click", "lightning.pytorch.cli", "pytorch_lightning.cli", "confection", "absl.flags", "yacs", "typed_settings",
)  # fmt: skip
_CLASS: Final = re.compile(
    r".*(Config|Settings|Params|Parameters|Args|Arguments|Options|HParams|Hyperparameters)$", re.I
)
_NAME: Final = re.compile(
    r"(\w*_)?(config|cfg|conf|params|settings|hparams|args|opts?|parameters|hyperparameters)", re.I
)
_LOADS: Final = ("safe_load", "load", "loads", "full_load", "read")


def look(repository: Repository) -> Answer:
    """Look for types of the settings; then for settings that are read as a bare mapping."""
    side = training_side(repository)
    found = [place for _, place in importing(side, *_TYPED)]
    found += [
        file.at(each) for file in side for each in file.classes if _CLASS.match(each.name) and each.fields
    ]
    found += [file.at(call) for file in side for call in file.called("add_argument") if _typed(call)]
    if found:
        return yes(f"settings have types: {found[0]}", *sorted(set(found))[:SHOWN])
    bare: list[Location] = [
        file.at(call) for file in side for call in file.called(*_LOADS) if _bare(file, call)
    ]
    if not bare:
        return no_question("no settings file is read where models are trained")
    return no(f"{counted(len(bare), 'settings file')} read as a mapping that nothing checks", *bare[:SHOWN])


def _typed(call: Call) -> bool:
    return call.method == "add_argument" and (
        call.argument("type") is not None or call.argument("choices") is not None
    )


def _bare(file: PythonFile, call: Call) -> bool:
    known = call.name.partition(".")[0] in (
        "yaml",
        "json",
        "toml",
        "tomllib",
        "tomli",
        "omegaconf",
        "configparser",
    )
    return (
        (known or call.made_by.startswith("configparser."))
        and call.method in _LOADS
        and any(_NAME.fullmatch(name) for name in (*call.results, call.receiver))
    )


PROBE = Probe(
    id="model.settings_validated",
    title="settings are checked before training begins",
    why="A misspelt key is silently ignored, and the run is recorded under a setting that it never had.",
    remedy="read the file into a pydantic model or a dataclass with extra keys forbidden",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="Sculley et al. 2015, Configuration Debt",
)
