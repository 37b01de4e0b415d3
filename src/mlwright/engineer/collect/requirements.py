"""Direct dependencies from requirement files, pyproject.toml, setup.cfg, setup.py, Pipfile, conda and pixi files."""

import ast
import configparser
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508
from packaging.utils import canonicalize_name

from mlwright.engineer.facts.configuration import Document, IndexOption, Plain, Requirement
from mlwright.model.findings import Location

_GROUP = re.compile(
    r"(?:^|[-_./])(dev|develop|development|tests?|testing|lint|linting|docs?|ci|build|typing|types|style|examples?"
    r"|notebooks?|benchmarks?|tools|quality|release)(?=[-_./]|$)"
)
_COMMIT = re.compile(r"@[0-9a-f]{40}(?:[#&]|$)|[#&]sha256=|/[^/@]+\.(?:whl|tar\.gz|zip)(?:#|$)")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")
_REPOSITORY = re.compile(r"/([\w.-]+?)(?:\.git)?(?:@[^@/]+)?(?:#.*)?$")
_OPTION = re.compile(
    r"(?:--(?:extra-)?index-url|--trusted-host|--find-links|--no-index|-i|-f)(?=[\s=])|--no-index$"
)
_LOOSE = re.compile(r"([A-Za-z0-9][\w.-]{0,120})\s*(?:\[[^\]]{0,200}\])?\s*([<>=!~][^;#]{0,120})?")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """What one requirements.txt holds: its entries, where packages come from, and the files that it names."""

    requirements: tuple[Requirement, ...]
    indexes: tuple[IndexOption, ...]
    includes: tuple[str, ...]
    constraints: tuple[str, ...]


def is_requirements(path: str) -> bool:
    """Whether a file of this name lists requirements for pip."""
    low = path.lower()
    name = low.rpartition("/")[2]
    if not name.endswith((".txt", ".in", ".pip")):
        return False
    if re.match(r"^[\w.-]*(?:requirements?|reqs)(?:[-_.][\w.-]+)?\.(?:txt|in|pip)$", name):
        return True
    return re.search(r"(?:^|/)(?:requirements?|reqs|deps)/[\w.-]+\.(?:txt|in|pip)$", low) is not None


def is_constraints(path: str) -> bool:
    """Whether a file of this name holds constraints rather than requirements."""
    return "constraint" in path.rpartition("/")[2].lower()


def group_of(path: str) -> str:
    """The group that a requirement file is for by its name: "" where the program needs it to run."""
    stem = re.sub(r"\.(txt|in|pip|ya?ml)$", "", path.lower())
    found = _GROUP.search(stem)
    return found.group(1) if found is not None else ""


def shown(text: str) -> str:
    """An option without user names and passwords in its addresses."""
    return _CREDENTIALS.sub("//…@", text)[:300]


def of_text(text: str, at: Location, group: str = "") -> Requirement | None:
    """One requirement from how pip is told of it (PEP 508, or an address); None for what names no package."""
    bare = re.split(r"\s+--", text, maxsplit=1)[0].split(" #", 1)[0].strip()
    hashed = "--hash" in text
    if not bare or len(bare) > 2_000:
        return None
    if bare.startswith(("-e ", "--editable ")):
        bare = bare.split(None, 1)[1].strip() if len(bare.split(None, 1)) == 2 else ""
    if re.match(r"(?:git|hg|svn|bzr)\+|https?://|git@", bare):
        named = _EGG.search(bare) or _REPOSITORY.search(bare)
        return _addressed(named.group(1), bare, hashed, group, at) if named is not None else None
    try:
        parsed = Pep508(bare)
    except InvalidRequirement:
        return _loose(bare, hashed, group, at)
    if parsed.url:
        return _addressed(parsed.name, parsed.url, hashed, group, at)
    specifier = str(parsed.specifier)
    return _requirement(parsed.name, specifier, _exact(specifier), hashed, group, at)


def _addressed(name: str, url: str, hashed: bool, group: str, at: Location) -> Requirement:
    return _requirement(
        name, shown(url), _COMMIT.search(url) is not None, hashed or "sha256=" in url, group, at
    )


def _loose(text: str, hashed: bool, group: str, at: Location) -> Requirement | None:
    """A line that PEP 508 does not allow but people write, as ``numpy = 1.0``; a path is none."""
    found = _LOOSE.match(text)
    if found is None or "/" in text or "\\" in text:
        return None
    specifier = (found.group(2) or "").strip()
    return _requirement(found.group(1), specifier, _exact(specifier), hashed, group, at)


def _exact(specifier: str) -> bool:
    return any(
        part.strip().startswith("==") and not part.strip().endswith("*") for part in specifier.split(",")
    )


def _requirement(
    name: str, specifier: str, pinned: bool, hashed: bool, group: str, at: Location
) -> Requirement:
    return Requirement(
        name=str(canonicalize_name(name)),
        specifier=specifier,
        pinned=pinned,
        hashed=hashed,
        group=group,
        at=at,
    )


def read_requirements(path: str, text: str, group: str | None = None) -> RequirementsFile:
    """The entries of a requirement file; ``group`` None takes it from the file's name."""
    found: list[Requirement] = []
    indexes: list[IndexOption] = []
    includes: list[str] = []
    constraints: list[str] = []
    group = group_of(path) if group is None else group
    for number, line in _continued(text):
        option = re.match(r"(-r|--requirement|-c|--constraint)(?:\s+|=)?(\S+)", line)
        if option is not None:
            (includes if option.group(1) in {"-r", "--requirement"} else constraints).append(option.group(2))
        elif _OPTION.match(line):
            indexes.append(IndexOption(path=path, line=number, text=shown(line)))
        elif not line.startswith("-") or line.startswith(("-e", "--editable")):
            one = of_text(line, Location(path=path, line=number), group)
            if one is not None:
                found.append(one)
    return RequirementsFile(tuple(found), tuple(indexes), tuple(includes), tuple(constraints))


def _continued(text: str) -> Iterator[tuple[int, str]]:
    """(line number, text) of each logical line without comments."""
    held, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r"(?:^|\s)#.*$", "", line).strip()
        start = start if held else number
        if bare.endswith("\\"):
            held += bare[:-1] + " "
            continue
        if (held + bare).strip():
            yield start, (held + bare).strip()
        held = ""
    if held.strip():
        yield start, held.strip()


def of_pyproject(document: Document) -> tuple[list[Requirement], list[IndexOption]]:
    """Dependencies of a pyproject.toml: PEP 621, PEP 735, build, poetry, pdm, hatch, uv and pixi."""
    found = list(_listed(document, ("project", "dependencies"), ""))
    found += _grouped(document, ("project", "optional-dependencies"))
    found += _grouped(document, ("dependency-groups",))
    found += _listed(document, ("build-system", "requires"), "build")
    found += _grouped(document, ("tool", "pdm", "dev-dependencies"))
    found += _listed(document, ("tool", "uv", "dev-dependencies"), "dev")
    poetry = ("tool", "poetry")
    found += of_table(document, (*poetry, "dependencies"), "", caret=True)
    found += of_table(document, (*poetry, "dev-dependencies"), "dev", caret=True)
    for name in _keys(document.get(*poetry, "group")):
        found += of_table(document, (*poetry, "group", name, "dependencies"), name, caret=True)
    for name in _keys(document.get("tool", "hatch", "envs")):
        for key in ("dependencies", "extra-dependencies"):
            found += _listed(document, ("tool", "hatch", "envs", name, key), name)
    found += of_pixi(document, ("tool", "pixi"))
    indexes = [
        *_sources(document, (*poetry, "source")),
        *_sources(document, ("tool", "uv", "index")),
        *_sources(document, ("tool", "pdm", "source")),
    ]
    itself = canonicalize_name(str(document.get("project", "name") or ""))
    return [each for each in found if each.name != itself], indexes


def _keys(value: Plain) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) else []


def _listed(document: Document, keys: tuple[str, ...], group: str) -> Iterator[Requirement]:
    values = document.get(*keys)
    for position, value in enumerate(values if isinstance(values, list) else ()):
        if isinstance(value, str):
            one = of_text(value, document.at(*keys, position), group)
            if one is not None:
                yield one


def _grouped(document: Document, keys: tuple[str, ...]) -> list[Requirement]:
    return [one for name in _keys(document.get(*keys)) for one in _listed(document, (*keys, name), name)]


def _sources(document: Document, keys: tuple[str, ...]) -> list[IndexOption]:
    values = document.get(*keys)
    found = []
    for position, value in enumerate(values if isinstance(values, list) else ()):
        if isinstance(value, dict) and isinstance(value.get("url"), str):
            trust = " verify_ssl=false" if value.get("verify_ssl") is False else ""
            line = document.at(*keys, position, "url").line or 1
            found.append(
                IndexOption(path=document.path, line=line, text=shown(f"url = {value['url']}{trust}"))
            )
    return found


def of_table(
    document: Document, keys: tuple[str, ...], group: str, *, caret: bool = False
) -> list[Requirement]:
    """Dependencies of a table of name = version; ``caret``: a bare version is exact, as poetry has it."""
    table = document.get(*keys)
    found = []
    for name, value in table.items() if isinstance(table, dict) else ():
        if name.lower() in {"python", "pip"}:
            continue
        each: Mapping[str, Plain] = value if isinstance(value, dict) else {}
        version = value if isinstance(value, str) else str(each.get("version", ""))
        specifier = "" if version.strip() == "*" else version.strip()
        if each.get("path") or each.get("editable"):
            continue
        revision = str(each.get("rev") or each.get("ref") or "")
        if "git" in each:
            specifier, pinned = shown(str(each["git"])), re.fullmatch(r"[0-9a-f]{40}", revision) is not None
        else:
            pinned = _exact(specifier) or (caret and re.fullmatch(r"\d+(\.\w+)*", specifier) is not None)
        of = group or ("optional" if each.get("optional") is True else "")
        found.append(_requirement(name, specifier, pinned, False, of, document.at(*keys, name)))
    return found


def of_pipfile(document: Document) -> tuple[list[Requirement], list[IndexOption]]:
    """Dependencies and sources of a Pipfile."""
    found = of_table(document, ("packages",), "") + of_table(document, ("dev-packages",), "dev")
    return found, _sources(document, ("source",))


def of_pixi(document: Document, above: tuple[str, ...] = ()) -> list[Requirement]:
    """Dependencies of a pixi.toml, or of ``tool.pixi``."""
    found = []
    for key in ("dependencies", "pypi-dependencies"):
        found += of_table(document, (*above, key), "")
        for name in _keys(document.get(*above, "feature")):
            found += of_table(document, (*above, "feature", name, key), name)
    return found


def of_conda(document: Document) -> tuple[list[Requirement], list[str]]:
    """Dependencies of a conda environment.yml, also below ``pip:``; and the requirement files that it names."""
    found: list[Requirement] = []
    includes: list[str] = []
    group = group_of(document.path.rpartition("/")[2])
    values = document.get("dependencies")
    for position, value in enumerate(values if isinstance(values, list) else ()):
        if isinstance(value, str):
            one = _conda(value, document.at("dependencies", position), group)
            found += [one] if one is not None else []
        elif isinstance(value, dict) and isinstance(value.get("pip"), list):
            for place, line in enumerate(value["pip"]):
                if not isinstance(line, str):
                    continue
                if line.startswith(("-r", "--requirement")):
                    includes.append(line.split(None, 1)[-1].removeprefix("-r").strip())
                    continue
                one = of_text(line, document.at("dependencies", position, "pip", place), group)
                found += [one] if one is not None else []
    return found, includes


def _conda(text: str, at: Location, group: str) -> Requirement | None:
    found = re.match(r"(?:[\w./-]+::)?([A-Za-z0-9_][\w.-]*)\s*(.*)$", text.strip())
    if found is None or found.group(1).lower() in {"python", "pip"}:
        return None
    specifier = found.group(2).strip()
    exact = re.fullmatch(r"==?[\w.]+=[\w.]+|==[\w.!+]+|=\d+\.\d+\.[\w.]+", specifier) is not None
    return _requirement(found.group(1), specifier, exact and not specifier.endswith("*"), False, group, at)


def of_setup_cfg(path: str, text: str) -> list[Requirement]:
    """``install_requires`` and extras of a setup.cfg."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError):
        return []
    lines = text.splitlines()
    blocks = [("", parser.get("options", "install_requires", fallback=""))]
    if parser.has_section("options.extras_require"):
        blocks += [(name, value) for name, value in parser.items("options.extras_require")]
    return list(_of_lines(path, lines, ((group, value.splitlines()) for group, value in blocks)))


def _of_lines(path: str, lines: list[str], blocks: Iterable[tuple[str, list[str]]]) -> Iterator[Requirement]:
    places: dict[str, int] = {}
    for number, text in enumerate(lines, start=1):
        places.setdefault(text.partition("=")[2].strip() if "=" in text[:40] else text.strip(), number)
        places.setdefault(text.strip(), number)
    for group, values in blocks:
        for value in values:
            bare = value.split("#", 1)[0].strip()
            at = Location(path=path, line=places.get(value.strip(), 1))
            one = of_text(bare, at, group) if bare else None
            if one is not None:
                yield one


def of_setup_py(path: str, text: str) -> list[Requirement]:
    """``install_requires`` and ``extras_require`` of a setup.py, where they are constants; nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    named = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _is_setup(node.func)]
    found: list[Requirement] = []
    for keyword in (each for call in calls for each in call.keywords):
        value = (
            named.get(keyword.value.id, keyword.value)
            if isinstance(keyword.value, ast.Name)
            else keyword.value
        )
        if keyword.arg == "install_requires":
            found += _constants(path, value, "")
        elif keyword.arg == "extras_require" and isinstance(value, ast.Dict):
            for key, each in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    listed = named.get(each.id, each) if isinstance(each, ast.Name) else each
                    found += _constants(path, listed, key.value)
    return found


def _is_setup(func: ast.expr) -> bool:
    return (
        func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    ) == "setup"


def _constants(path: str, value: ast.expr, group: str) -> list[Requirement]:
    elements = value.elts if isinstance(value, ast.List | ast.Tuple) else []
    found = []
    for each in elements:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            one = of_text(each.value, Location(path=path, line=each.lineno), group)
            found += [one] if one is not None else []
    return found
