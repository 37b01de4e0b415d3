"""Setting what is known of two versions side by side."""

from collections.abc import Iterator, Mapping

from mlwright.model.dossiers import Change
from mlwright.model.registry import Field, ModelVersion


def changes(
    before: Mapping[str, object], after: Mapping[str, object], *, equal: bool = False
) -> tuple[Change, ...]:
    """What differs, by name; ``equal``: what is the same too.

    >>> changes({"a": 1, "b": 2}, {"a": 1, "c": 3})
    (Change(name='b', before=2, after=None), Change(name='c', before=None, after=3))
    """
    names = sorted(before.keys() | after.keys())
    found = [Change(name=name, before=before.get(name), after=after.get(name)) for name in names]
    return tuple(each for each in found if equal or each.before != each.after)


def signature_breaks(before: ModelVersion, after: ModelVersion) -> tuple[str, ...] | None:
    """Why those who call ``before`` cannot call ``after`` as they do; None where a signature is not known.

    A new input breaks them where it must be given, another type where it does not hold every value of the old one. An
    output that is gone or has another type breaks those who read it.
    """
    if before.signature is None or after.signature is None:
        return None
    one, other = before.signature, after.signature
    return (*_inputs(one.inputs, other.inputs), *_outputs(one.outputs, other.outputs))


def _inputs(before: tuple[Field, ...], after: tuple[Field, ...]) -> Iterator[str]:
    known = {each.name: each for each in before}
    for each in after:
        old = known.get(each.name)
        if old is None:
            if each.required:
                yield f"input {each.name!r} is new and must be given"
        elif old.type != each.type and (old.type, each.type) != ("long", "double"):
            yield f"input {each.name!r} was {old.type} and is {each.type}"
        elif each.required and not old.required:
            yield f"input {each.name!r} may no longer be missing"


def _outputs(before: tuple[Field, ...], after: tuple[Field, ...]) -> Iterator[str]:
    known = {each.name: each for each in after}
    for each in before:
        new = known.get(each.name)
        if new is None:
            yield f"output {each.name!r} is gone"
        elif new.type != each.type:
            yield f"output {each.name!r} was {each.type} and is {new.type}"
