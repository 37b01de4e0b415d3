"""Where the files of a model version may lie: only where the run or logged model it is said to be from keeps its own.

The rules are those of MLflow's server (``_validate_source_run``, ``_validate_source_model`` in its handlers): whoever
may register a version must not read by it what belongs to others, nor files of the server's machine.
"""

import posixpath
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote, unquote_plus, urlparse, urlsplit

from sqlalchemy import Connection

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import ModelName, RunId
from mlwright.model.registry import ModelVersion
from mlwright.model.tracking import LoggedModel
from mlwright.platform.tracking.book import ARTIFACT_SCHEME
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.models import get_model
from mlwright.stages.registry.names import parse_stage, parse_version
from mlwright.stages.registry.versions import latest_versions, newest_number, version_by_alias
from mlwright.stages.tracking.logged_models import read_logged_models
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import find_run

PROMPT_SOURCES: Final = frozenset({"dummy-source", "prompt-template"})
"""What MLflow's clients send as the source of a prompt, which has none."""

# Whoever reads such an address connects to a host that a client named.
_HOST_SCHEMES: Final = frozenset(
    {"ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss"}
)
_NOBODY: Final = ModelName("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An address that was looked at: what it is from, and where its files lie if not there."""

    uri: str
    run: RunId | None
    logged_model: str | None
    location: str | None = None
    copy_of: ModelVersion | None = None
    """The version it was copied from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAddress:
    """A ``models:/`` address in its parts; without version, stage and alias it is the newest version."""

    logged_model: str | None = None
    name: ModelName = _NOBODY
    version: int | None = None
    stage: str | None = None
    alias: str | None = None


def look_at_source(tx: Connection, uri: str, run: str | None, logged_model: str | None) -> Source:
    """Check an address that a client registers, and find what it is from.

    Args:
        tx: any transaction.
        uri: the address.
        run, logged_model: what the client says it is from; None where it says nothing.

    Raises:
        UsageError: the address leads elsewhere than where the run or logged model keeps its files.
        NotFound: it names a model, version or logged model that is not there.
    """
    _refuse_hosts(uri)
    parsed = urlparse(uri)
    copied: ModelVersion | None = None
    if parsed.scheme == "models":
        if parsed.netloc:
            raise UsageError(
                f"Invalid model version source: '{uri}'. Registered model sources must use the active model registry."
            )
        address = parse_model_address(uri)
        if address.logged_model is None:
            copied = _copied(tx, uri, address, run, logged_model)
            uri = f"models:/{copied.ref}"
            run = copied.run if run is None else run
            logged_model = copied.logged_model if logged_model is None else logged_model
    if logged_model:
        _check_model_source(tx, uri, logged_model)
    else:
        _check_run_source(tx, uri, run)
    location = _kept_at(copied) if copied else None
    if not copied and logged_model:
        found = _logged_model(tx, uri, logged_model)
        run = run or found.source_run
        location = found.artifact_root if parsed.scheme == "models" else None
    return Source(
        uri=uri,
        run=RunId(run) if run else None,
        logged_model=logged_model or None,
        location=location,
        copy_of=copied,
    )


def download_location(version: ModelVersion) -> str:
    """The address that clients read the files of a version from; empty where nobody knows one."""
    return _kept_at(version) or folder_location(version) or version.source or ""


def folder_location(version: ModelVersion) -> str | None:
    """Where clients read the folder of a version that one of our own pipelines stored; None where there is none."""
    return None if version.digest is None else f"{ARTIFACT_SCHEME}registry/{version.ref}"


def parse_model_address(uri: str) -> ModelAddress:
    """Take a ``models:/`` address apart.

    Raises:
        UsageError: it has none of the forms ``models:/name/3``, ``models:/name/Stage``, ``models:/name/latest``,
            ``models:/name@alias`` and ``models:/m-…``.
    """
    path = urlparse(uri, allow_fragments=False).path
    parts = path.lstrip("/").split("/")
    if not path.startswith("/") or len(parts) > 2 or not all(part.strip() for part in parts):
        _refuse(uri, "model_id")
    if len(parts) == 2:
        name, suffix = ModelName(parts[0]), parts[1]
        if suffix.isdigit():
            return ModelAddress(name=name, version=parse_version(suffix))
        return ModelAddress(name=name, stage=None if suffix.lower() == "latest" else suffix)
    name_of, at, alias = parts[0].rpartition("@")
    if not at:
        return ModelAddress(logged_model=parts[0])
    if not name_of or not alias.strip():
        _refuse(uri, "model_id")
    return ModelAddress(name=ModelName(name_of), alias=alias)


def artifact_path(tx: Connection, version: ModelVersion) -> str | None:
    """The path below our artifacts where a client put the files of a version; None where they lie elsewhere.

    Raises:
        NotFound: its source is a run that is not there any more.
    """
    uri = version.location or version.source or ""
    if uri.startswith("runs:/"):
        run, _, rest = uri.removeprefix("runs:/").partition("/")
        uri = f"{_run_root(tx, run)}/{rest}"
    if urlparse(uri).netloc or not uri.startswith(ARTIFACT_SCHEME):
        return None
    return uri.removeprefix(ARTIFACT_SCHEME).strip("/")


def _kept_at(version: ModelVersion) -> str | None:
    """Where a client put the files; ``models:/`` names another version, which may go away before this one does."""
    if version.location or not (version.source or "").startswith("models:/"):
        return version.location or version.source
    return None


def _copied(
    tx: Connection, uri: str, address: ModelAddress, run: str | None, logged_model: str | None
) -> ModelVersion:
    if get_model(tx, address.name).is_prompt:
        raise UsageError(
            f"Invalid model version source: '{uri}'. Prompt versions cannot be used as model version sources."
        )
    found = _addressed(tx, uri, address)
    if (run is not None and run != (found.run or "")) or (
        logged_model is not None and logged_model != (found.logged_model or "")
    ):
        raise UsageError(
            f"Invalid model version source: '{uri}'. The run_id and model_id request parameters must match the "
            "referenced model version."
        )
    return found


def _addressed(tx: Connection, uri: str, address: ModelAddress) -> ModelVersion:
    if address.alias is not None:
        return version_by_alias(tx, address.name, address.alias)
    number = address.version
    if number is None and address.stage is not None:
        staged = latest_versions(tx, [address.name], [parse_stage(address.stage)])[address.name]
        number = staged[0].version if staged else None
    elif number is None:
        number = newest_number(tx, address.name)
    if number is None:
        raise NotFound(f"No versions of model with name '{address.name}' found", where=uri)
    return registry.get_version(tx, address.name, number)


def _check_run_source(tx: Connection, uri: str, run: str | None) -> None:
    if _is_local(uri):
        if run and _is_local_below(uri, _root_or_refuse(tx, uri, run)):
            return
        raise UsageError(
            f"Invalid model version source: '{uri}'. To use a local path as a model version source, the run_id request "
            "parameter has to be specified and the local path has to be contained within the artifact directory of "
            "the run specified by the run_id."
        )
    _refuse_relative(uri)
    parsed = urlparse(uri)
    if parsed.scheme == "runs":
        if not parsed.netloc and run and parsed.path.lstrip("/").partition("/")[0] == run:
            return
        _refuse(uri, "run_id")
    if parsed.scheme == "models" and parse_model_address(uri).logged_model is not None:
        _refuse(uri, "model_id")
    if _is_ours(uri):
        if run and _is_below(uri, _root_or_refuse(tx, uri, run)):
            return
        _refuse(uri, "run_id")


def _check_model_source(tx: Connection, uri: str, logged_model: str) -> None:
    if _is_local(uri):
        if _is_local_below(uri, _logged_model(tx, uri, logged_model).artifact_root):
            return
        raise UsageError(
            f"Invalid model version source: '{uri}'. To use a local path as a model version source, the model_id "
            "request parameter has to be specified and the local path has to be contained within the artifact "
            "directory of the run specified by the model_id."
        )
    _refuse_relative(uri)
    parsed = urlparse(uri)
    if parsed.scheme == "runs":
        _refuse(uri, "model_id")
    if parsed.scheme == "models":
        named = parse_model_address(uri).logged_model
        if named is not None and named != logged_model:
            _refuse(uri, "model_id")
    if _is_ours(uri) and not _is_below(uri, _logged_model(tx, uri, logged_model).artifact_root):
        _refuse(uri, "model_id")


def _logged_model(tx: Connection, uri: str, logged_model: str) -> LoggedModel:
    found = read_logged_models(tx, [logged_model])
    if not found:
        _refuse(uri, "model_id")
    return found[0]


def _root_or_refuse(tx: Connection, uri: str, run: str) -> str:
    try:
        return _run_root(tx, run)
    except NotFound:
        _refuse(uri, "run_id")


def _run_root(tx: Connection, run: str) -> str:
    return read_records(tx, [find_run(tx, RunId(run)).number])[0].artifact_root.rstrip("/")


def _refuse(uri: str, parameter: str) -> NoReturn:
    raise UsageError(
        f"Invalid model version source: '{uri}'. The {parameter} request parameter must identify the resource that "
        "contains the source."
    )


def _refuse_hosts(uri: str) -> None:
    parsed = urlsplit(uri)
    scheme = parsed.scheme.lower()
    if scheme in _HOST_SCHEMES and not (scheme == "mlflow-artifacts" and not parsed.netloc):
        raise UsageError(
            f"'source' cannot use the '{scheme}' scheme: it addresses a host other than this server's own artifacts"
        )


def _refuse_relative(uri: str) -> None:
    plain = uri
    while (unquoted := unquote_plus(plain)) != plain:
        plain = unquoted
    said = urlparse(plain).path
    path = "/" + "/".join(part for part in said.split("/") if part)
    relative = not said.startswith("/") or path == "/" or posixpath.normpath(path) != path
    if relative or "\x00" in plain or ".." in plain.split("/"):
        raise UsageError(
            f"Invalid model version source: '{uri}'. If supplying a source as an http, https, local file path, ftp, "
            "objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references "
            "present. Please provide an absolute path."
        )


def _is_local(uri: str) -> bool:
    return urlsplit(uri).scheme in {"", "file"}


def _is_ours(uri: str) -> bool:
    return urlsplit(uri).scheme.lower() == "mlflow-artifacts"


def _is_below(uri: str, root: str) -> bool:
    (scheme, host, path), (root_scheme, root_host, root_path) = _split(uri), _split(root)
    same = (scheme, host) == (root_scheme, root_host)
    return same and bool(root_path) and path[: len(root_path)] == root_path


def _is_local_below(uri: str, root: str) -> bool:
    """Whether a path of this machine lies in a folder, by its letters; no link is followed, for none is read."""
    if not _is_local(root) or urlsplit(uri).netloc:
        return False
    paths = [posixpath.normpath(unquote(urlsplit(each).path)) for each in (uri, root)]
    return "\x00" not in paths[0] and paths[1] != "." and f"{paths[0]}/".startswith(f"{paths[1]}/")


def _split(uri: str) -> tuple[str, str, tuple[str, ...]]:
    parsed = urlsplit(uri)
    parts = []
    for part in parsed.path.split("/"):
        while (unquoted := unquote(part)) != part:
            part = unquoted
        if part:
            parts.append(part)
    return parsed.scheme.lower(), parsed.netloc.lower(), tuple(parts)
