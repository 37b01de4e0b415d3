"""Values as JSON: the one form that the command line, HTTP and every later door send."""

from pathlib import PurePath

import msgspec

from mlwright.errors import MlwrightError


def to_json(value: object) -> bytes:
    """Encode a value of the platform as one JSON document in UTF-8.

    Dataclasses become objects of their fields, instants RFC 3339 texts, durations ISO 8601 texts (``P14D``),
    enumerations their value, paths POSIX texts, arrays lists, sets lists. A number that is not finite becomes null,
    because JSON (RFC 8259) has none. Half a character, as in a file's name that is not UTF-8, becomes ``\\udce9``.

    Raises:
        TypeError: a value has no form on the wire.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_encode)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(msgspec.to_builtins(value, enc_hook=_encode)))


def to_plain(value: object) -> object:
    """The same as dicts, lists and scalars, for a door that builds a larger answer around a value."""
    return msgspec.json.decode(to_json(value))


def error_to_plain(error: MlwrightError) -> dict[str, object]:
    """An error as every door sends it.

    ``code`` is stable and listed in the error catalogue, ``next`` is the command to type.
    """
    return {
        "error": {
            "code": error.code,
            "what": error.what,
            "where": error.where,
            "why": error.why,
            "faults": [{"where": each.where, "what": each.what, "near": each.near} for each in error.faults],
            "next": error.next_command,
            "exit_code": error.exit_code,
        }
    }


def _whole(value: object) -> object:
    """Plain values with lone surrogates written out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list | tuple) else value


def _encode(value: object) -> object:
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, str):  # a subclass, such as SQLAlchemy's quoted_name
        return str.__str__(value)
    # numpy's scalars and arrays; asking for the method saves the import of numpy.
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    raise TypeError(f"{type(value).__name__} has no form on the wire: {value!r}")
