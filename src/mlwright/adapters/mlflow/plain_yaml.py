"""YAML of plain values that others wrote."""

from typing import Any, Final

import yaml

_DEPTH: Final = 100
_OPENING: Final = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING: Final = (yaml.MappingEndEvent, yaml.SequenceEndEvent)

# The loader of libyaml is ten times as fast, where PyYAML has it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str | bytes) -> object:
    """What a document says; nothing in it is executed.

    Raises:
        ValueError: it is no YAML, or nested more than a hundred deep.
    """
    try:
        depth = 0
        # libyaml composes by recursion in C, whose end is that of the process: count before it does.
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
            if depth > _DEPTH:
                raise ValueError(f"it is nested more than {_DEPTH} deep")
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as fault:
        raise ValueError("it is no YAML") from fault
