"""Is anything loaded that may run somebody else's code?"""

import re
from collections.abc import Iterator
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import positional, reads
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_PICKLES: Final = (
    "pickle.load", "pickle.loads", "_pickle.loads", "joblib.load", "cloudpickle.load", "cloudpickle.loads", "dill.load",
    "dill.loads", "pandas.read_pickle", "jsonpickle.decode", "shelve.open",
)  # fmt: skip
_OTHERS: Final = ("torch.load", "numpy.load", "yaml.load", "yaml.unsafe_load", "torch.hub.load")
_COMES_FROM: Final = re.compile(
    r"(requests|httpx)\.(get|post|request)|urllib\.request\.(urlopen|urlretrieve)|wget\.download|gdown\.\w*download\w*"
    r"|huggingface_hub\.(hf_hub|cached|snapshot)_download|\w+\.hf_hub_download|streamlit\.(\w+\.)?file_uploader"
    r"|flask\.request\.\w+(\.\w+)?|request\.(files|get_data|data|form|body|read)(\.\w+)?"
)
_IN_TEXT: Final = re.compile(
    r"\b(requests\.get|urlopen|hf_hub_download|request\.(files|data|get_data)|file_uploader)\b"
)
_URL: Final = re.compile(r"https?://", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Look for switches that turn a safeguard off, and for pickles that come from a download or a request."""
    loads = [each for each in repository.calls(*_PICKLES, *_OTHERS) if not each[1].receiver]
    old = _old_torch(repository)
    faults = [(file, call, what) for file in repository.production for call, what in _faults(file, old)]
    if faults:
        file, call, what = faults[0]
        more = f"; {counted(len(faults) - 1, 'more place', 'more places')}" if len(faults) > 1 else ""
        said = f"{file.at(call)}: {what}{more}"
        return no(said, *[file.at(call) for file, call, _ in faults][:SHOWN], places=len(faults))
    bare = [
        (file, call)
        for file, call in loads
        if call.name == "torch.load" and call.argument("weights_only") is None
    ]
    if bare and old:
        said = f"{counted(len(bare), 'torch.load')} without weights_only=True, and torch is held below 2.6"
        return unknown(
            f"{said}: whether the files are your own cannot be told", *[f.at(c) for f, c in bare][:SHOWN]
        )
    if not loads:
        return no_question("no pickle, YAML or array is loaded here")
    said = f"{counted(len(loads), 'load')}, none of a download or a request, no safeguard turned off"
    return yes(said, *[file.at(call) for file, call in loads][:SHOWN], loads=len(loads))


def _faults(file: PythonFile, old_torch: bool) -> Iterator[tuple[Call, str]]:
    # A keyword is one of the words of its file: most files have none of these, and few calls to be looked at.
    switched = not _SWITCHES.isdisjoint(file.words)
    for call in file.calls if switched else file.called(*_LOADING):
        what = (_switch(call) if switched else "") or _yaml(call)
        # Since 2.6 torch.load reads weights only, unless it is told otherwise: that is a switch.
        bare = old_torch and call.name == "torch.load" and call.argument("weights_only") is None
        if not what and (bare or call.name in _PICKLES) and _from_outside(file, call):
            what = f"{call.name} of what comes from outside"
        if what:
            yield call, what


_SWITCHES: Final = frozenset(
    ("trust_remote_code", "weights_only", "allow_pickle", "allow_dangerous_deserialization", "safe_mode")
)
_LOADING: Final = tuple(
    sorted(
        {each.rpartition(".")[2] for each in (*_PICKLES, "torch.load", "yaml.unsafe_load", "yaml.load_all")}
    )
)


def _switch(call: Call) -> str:
    given = {each.keyword: each.value for each in call.args if each.keyword and each.constant}
    if given.get("trust_remote_code") is True and not isinstance(given.get("revision"), str):
        return "trust_remote_code=True runs what the repository holds today"
    if given.get("weights_only") is False and call.method.startswith("load"):
        return "weights_only=False"
    if given.get("allow_pickle") is True and call.name == "numpy.load":
        return "allow_pickle=True"
    if given.get("allow_dangerous_deserialization") is True:
        return "allow_dangerous_deserialization=True"
    if given.get("safe_mode") is False and call.method == "load_model":
        return "safe_mode=False"
    return ""


def _yaml(call: Call) -> str:
    if call.receiver or call.name not in ("yaml.load", "yaml.unsafe_load", "yaml.load_all"):
        return ""
    if call.name == "yaml.unsafe_load":
        return call.name
    second = positional(call)[1:2]
    loader = call.argument("Loader") or (second[0] if second else None)
    if loader is None:
        return "yaml.load without a Loader"
    unsafe = loader.text.rpartition(".")[2] in ("Loader", "UnsafeLoader", "CLoader")
    return f"yaml.load with {loader.text}" if unsafe else ""


def _from_outside(file: PythonFile, call: Call) -> bool:
    first = next(iter(positional(call)), None)
    if first is None:
        return False
    if isinstance(first.value, str):
        return _URL.match(first.value) is not None
    if _IN_TEXT.search(first.text):
        return True
    outside = {
        name
        for each in file.calls
        if each.scope == call.scope and each.line <= call.line and _COMES_FROM.fullmatch(each.name)
        for name in each.results
    }
    return bool(reads(call) & outside)


def _old_torch(repository: Repository) -> bool:
    torch = repository.requires("torch")
    try:
        allowed = SpecifierSet(torch.specifier) if torch else SpecifierSet()
    except InvalidSpecifier:
        return False
    return bool(allowed) and not any(allowed.contains(f"2.{minor}.0") for minor in range(6, 40))


PROBE = Probe(
    id="model.loads_trusted",
    title="nothing is loaded that may run somebody else's code",
    why="A model from a download is a program: whoever can replace it runs code with your keys in reach.",
    remedy="weights_only=True, yaml.safe_load, safetensors; a pinned revision=COMMIT where remote code must be trusted",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Python documentation, pickle; PyTorch documentation, torch.load; OWASP ML Security Top 10, ML06",
)
