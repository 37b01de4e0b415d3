"""Keep secrets, environments, data and models out of git: patterns that are missing are appended."""

from collections.abc import Iterable, Sequence
from typing import Final

from pathspec import GitIgnoreSpec

from mlwright.engineer.facts.repository import FileEntry, Repository
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import Source, source_of
from mlwright.engineer.probes.data import not_in_git
from mlwright.engineer.vocabulary.sources import DATA_SUFFIXES
from mlwright.model.findings import Outcome

_PATH: Final = ".gitignore"
_MODELS: Final = (
    ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".onnx", ".safetensors", ".h5", ".keras", ".skops", ".cbm",
)  # fmt: skip
_LARGE: Final = 1_000_000
# A pattern, and a path that is ignored once it is there: what an existing pattern covers is not repeated.
_SECRETS: Final = (
    (".env", ".env"),
    (".env.*", ".env.production"),
    (".netrc", ".netrc"),
    (".pypirc", ".pypirc"),
    ("id_rsa", "id_rsa"),
    ("id_ed25519", "id_ed25519"),
)
_ALLOWED: Final = (".env.example", ".env.sample", ".env.template")
_ENVIRONMENTS: Final = (
    (".venv/", ".venv/pyvenv.cfg"),
    ("venv/", "venv/pyvenv.cfg"),
    ("__pycache__/", "__pycache__/a.pyc"),
    (".ipynb_checkpoints/", ".ipynb_checkpoints/a.ipynb"),
)
_RECORDS: Final = (("mlruns/", "mlruns/0/meta.yaml"), ("wandb/", "wandb/run/a.log"))
_KEPT: Final = ("*.py", "*.md", "*.dvc", "*.yaml", "*.yml", ".gitignore", ".gitkeep")


def plan(repository: Repository, read: Read) -> Draft:
    """Append what is missing, below a heading for each kind."""
    raw = read(_PATH) or b""
    source = source_of(_PATH, raw)
    if source is None or (not raw and read(_PATH, head=1)):
        return Draft(refused=f"{_PATH} is not UTF-8, or too large")
    known = GitIgnoreSpec.from_lines(source.text.splitlines())
    large = _large(repository)
    tracked = repository.history.tracked if repository.history else frozenset()
    blocks = [
        ("secrets", _secrets(known, source)),
        ("environments and caches", _missing(_ENVIRONMENTS, known)),
        ("data", [*_folder(repository, known, ("data", "datasets")), *_exact(large, known)]),
        ("models and runs", [*_folder(repository, known, ("models",)), *_missing(_RECORDS, known)]),
    ]
    lines = [line for title, patterns in blocks if patterns for line in ("", f"# {title}", *patterns)]
    if not lines:
        return Draft(leaves=_still_tracked(large, tracked)) if large else NOTHING
    start = source.ended()
    text = start + source.block(lines if start else lines[1:])
    return Draft(
        changes={_PATH: source.encode(text)},
        leaves=_still_tracked(large, tracked) | _secret_tracked(repository, tracked),
        notes=("what git tracks already stays tracked: ignoring is for what comes",) if tracked else (),
    )


def _missing(patterns: Iterable[tuple[str, str]], known: GitIgnoreSpec) -> list[str]:
    return [pattern for pattern, example in patterns if not known.match_file(example)]


def _secrets(known: GitIgnoreSpec, source: Source) -> list[str]:
    found = _missing(_SECRETS, known)
    if ".env.*" in found:
        spot = found.index(".env.*") + 1
        found[spot:spot] = [f"!{each}" for each in _ALLOWED]
    lines = {line.strip() for line in source.text.splitlines()}
    return [each for each in found if each not in lines]


def _large(repository: Repository) -> Sequence[str]:
    """Large data and model files that git tracks, as the probes see them."""
    if repository.history is None:
        return ()
    found = not_in_git.look(repository)
    named = [each.path for each in found.locations] if found.outcome is Outcome.FALSE else []
    named += [
        each.path
        for each in repository.files
        if each.bytes > _LARGE
        and each.path in repository.history.tracked
        and each.path.lower().endswith(_MODELS)
    ]
    return tuple(dict.fromkeys(named))


def _exact(paths: Iterable[str], known: GitIgnoreSpec) -> list[str]:
    """Patterns of single files, by their whole path."""
    return [f"/{_escaped(path)}" for path in paths if not known.match_file(path) and not _in_folder(path)]


def _in_folder(path: str) -> bool:
    return path.partition("/")[0] in ("data", "datasets", "models")


def _escaped(path: str) -> str:
    return "".join(f"\\{each}" if each in "*?[\\" else each for each in path)


def _folder(repository: Repository, known: GitIgnoreSpec, names: Iterable[str]) -> list[str]:
    """Patterns for folders at the root that hold files of data or models and no small ones that belong to the code."""
    found: list[str] = []
    for name in names:
        inside = [each for each in repository.files if each.path.startswith(f"{name}/")]
        content = [each for each in inside if each.path.lower().endswith((*DATA_SUFFIXES, *_MODELS))]
        if not content or known.match_file(f"{name}/a/b.csv"):
            continue
        if any(each.path.endswith(".py") for each in inside):
            # A package of that name: only the files that were found.
            found += _exact_inside(content, known)
            continue
        # Folders stay visible, so that pointers of DVC, descriptions and placeholders in them can be kept.
        found += [f"/{name}/**", f"!/{name}/**/", *(f"!/{name}/**/{kept}" for kept in _KEPT)]
    return found


def _exact_inside(content: Iterable[FileEntry], known: GitIgnoreSpec) -> list[str]:
    large = [each.path for each in content if each.bytes > _LARGE]
    return [f"/{_escaped(path)}" for path in large if not known.match_file(path)]


def _still_tracked(large: Sequence[str], tracked: frozenset[str]) -> dict[str, str]:
    named = [each for each in large if each in tracked]
    if not named:
        return {}
    why = f"git tracks {named[0]} until you type: git rm --cached {named[0]}"
    why += f" (and {len(named) - 1} more)" if len(named) > 1 else ""
    data = any(each.lower().endswith(DATA_SUFFIXES) for each in named)
    models = any(each.lower().endswith(_MODELS) for each in named)
    return ({"data.not_in_git": why} if data else {}) | ({"model.not_in_git": why} if models else {})


def _secret_tracked(repository: Repository, tracked: frozenset[str]) -> dict[str, str]:
    named = [each.path for each in repository.find(*(name for _, name in _SECRETS)) if each.path in tracked]
    if not named:
        return {}
    return {
        "security.env_ignored": f"git tracks {named[0]}: git rm --cached {named[0]}, and change the secrets in it"
    }


FIX: Final = Fix(
    id="gitignore",
    title="keep secrets, environments, data and models out of git",
    flips=("security.env_ignored", "data.not_in_git", "model.not_in_git"),
    plan=plan,
)
