"""Serving one model: a project's endpoint, a registered version, or a folder, as settings that a process serves."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from mlwright.adapters.config.storage import find_file
from mlwright.errors import ModelLoadFailed, NotFound, UsageError
from mlwright.model.registry import parse_model_ref
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.platform.following import FollowJourney
from mlwright.wiring.inference import decode_settings, encode_settings, open_following, plain_settings


def served_settings(start: Path, what: str, name: str | None = None) -> Settings:
    """The settings of a server of one endpoint. A folder, or a function of a file, is registered first.

    Nothing of the model is loaded. Data frames and the judge of whole files are loaded only where there is a project,
    or something is registered.

    Args:
        start: the working folder.
        what: the name of an endpoint of the project; or ``name``, ``name/3`` or ``name@alias`` of a registered model;
            or the path of an MLflow Model folder; or ``rules.py:predict``.
        name: what the endpoint is called; the model's name unless given.

    Raises:
        NotFound: nothing of that name is registered, or there is no such folder.
        UsageError: the name could not be that of an endpoint.
        SettingsError: the project's mlwright.toml has faults.
    """
    settings = _around(start)
    endpoint = settings.endpoint(what) if name is None else None
    if endpoint is not None:
        settings = replace(settings, endpoints=(endpoint,))
        following = open_following(settings)
        if not _has_route(following, endpoint.name):
            following.point(endpoint.name, endpoint.model)
        return settings
    ref = _registered(settings, what, name) if _is_place(start, what) else what
    try:
        return _pointed(settings, ref, name)
    except NotFound:
        if not (start / what / "MLmodel").is_file():
            raise
        return _pointed(settings, _registered(settings, what, name), name)


def _pointed(settings: Settings, ref: str, name: str | None) -> Settings:
    endpoint = EndpointSettings(name=_checked(name or parse_model_ref(ref)[0]), model=ref, keyed=False)
    settings = replace(settings, endpoints=(endpoint,))
    open_following(settings).point(endpoint.name, ref)
    return settings


def _has_route(following: FollowJourney, endpoint: str) -> bool:
    return any(each.endpoint == endpoint for each in following.routes())


def _around(start: Path) -> Settings:
    file = find_file(start)
    if file is not None:
        from mlwright.adapters.config.load import load_settings  # 0.3 s: it judges the whole file

        return load_settings(file)
    return plain_settings(start)


def _is_place(start: Path, what: str) -> bool:
    """Whether it can only be a path: a bare word is a registered model first."""
    file, _, function = what.partition(".py:")
    is_function = bool(function) and (start / f"{file}.py").is_file()
    return is_function or what.startswith((".", "/", "~")) or (os.sep in what and (start / what).is_dir())


def _registered(settings: Settings, what: str, name: str | None) -> str:
    """Register in a process of its own: what judges files would take a serving process 90 MB for good."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_register, encode_settings(settings), what, name).result()
        except BrokenProcessPool as error:
            raise ModelLoadFailed(
                "the process that looked at the model ended", where=what, next_command="mlwright doctor"
            ) from error


def _register(line: bytes, what: str, name: str | None) -> str:
    from mlwright.platform.registering import refuse_own_state
    from mlwright.wiring.project import close, open_settings  # 0.7 s of data frames and statistics

    settings = decode_settings(line)
    if Path(what).is_dir():
        refuse_own_state(Path(what), settings.state)  # before any state is written there
    platform = open_settings(settings)
    try:
        stem = what.rpartition(":")[2] if ".py:" in what else Path(what).resolve().name
        return platform.releases.register(what, name or stem).ref
    finally:
        close(platform)


def _checked(name: str) -> str:
    if not name or any(each in name for each in "/@:%?#") or name != name.strip():
        raise UsageError(
            f"{name!r} cannot be the name of an endpoint",
            where="--name",
            why="it stands in addresses: letters, digits, '-', '_' and '.'",
            next_command="mlwright serve MODEL --name my-model",
        )
    return name
