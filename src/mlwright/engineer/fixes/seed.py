"""Give a seed to what draws at random, at the places that the probes of splits and sources name."""

from typing import Final

from mlwright.engineer.catalogue import own_probes
from mlwright.engineer.collect.python_source import fault_of
from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.forecast import forecast
from mlwright.engineer.fixes.seeding import Ambiguous, Seed, seeded
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import source_of
from mlwright.engineer.vocabulary.dataflow import RANDOM_FOLDS, SHUFFLED_FOLDS, shuffles
from mlwright.engineer.vocabulary.randomness import draws
from mlwright.model.findings import Location, Outcome

_PROBES: Final = ("data.split_seeded", "model.seeded")
_ROUNDS: Final = 20
"""A probe shows so many places at most; the next ones come up once those are mended."""


def plan(repository: Repository, read: Read) -> Draft:
    """Edit each named place; what is not plain is left alone, and said."""
    changes: dict[str, bytes] = {}
    notes: dict[str, None] = {}
    tried: set[Location] = set()
    for _ in range(_ROUNDS):
        places = [each for each in _places(repository) if each not in tried]
        if not places:
            break
        new: dict[str, bytes] = {}
        for path in sorted({each.path for each in places}):
            here = [each for each in places if each.path == path]
            content, said = _edited(repository, path, here, changes.get(path) or read(path))
            notes.update(dict.fromkeys(said))
            if content is not None:
                new[path] = content
        # Lines move where something was put in above them: what is named again there is looked at again.
        tried = {each for each in (*tried, *places) if each.path not in new}
        if not new:
            break
        changes |= new
        repository = forecast(repository, new)
    if not changes and not notes:
        return NOTHING
    if not changes:
        return Draft(refused="; ".join(list(notes)[:5]), next_command="pass a seed there by hand")
    return Draft(changes=changes, notes=tuple(notes))


def _places(repository: Repository) -> list[Location]:
    found: list[Location] = []
    for probe in own_probes():
        if probe.id in _PROBES:
            answer = probe.look(repository)
            found += answer.locations if answer.outcome is Outcome.FALSE else ()
    return sorted(set(found))


def _edited(
    repository: Repository, path: str, places: list[Location], raw: bytes | None
) -> tuple[bytes | None, list[str]]:
    """The file with seeds at these places, or None; and what was left alone."""
    file = next((each for each in repository.python if each.path == path), None)
    if file is None or file.notebook:
        return None, [f"{each}: a notebook or no Python, left alone" for each in places]
    source = source_of(path, raw) if raw is not None else None
    if source is None or file.fault:
        return None, [f"{path}: cannot be read as text or parsed, left alone"]
    wanted: dict[int, list[Call]] = {}
    notes: list[str] = []
    for place in places:
        calls = [call for call in _random(file) if call.line == place.line and Seed.of(call) is not None]
        if calls and place.line is not None:
            wanted[place.line] = calls
        else:
            notes.append(f"{place}: it is not known how a seed is given there")
    if not wanted:
        return None, notes
    text = source.text
    try:
        text, said = seeded(source.text, source.newline, _seeds(wanted), scripted=_is_script(file))
        notes += [f"{path}:{each}" for each in said]
    except Ambiguous as error:
        notes.append(f"{path}: {error}")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        notes.append(f"{path}: {fault_of(error)}")
    return (source.encode(text) if text != source.text else None), notes


def _random(file: PythonFile) -> list[Call]:
    """The calls of a file that draw at random, as the two probes know them."""
    folds = [
        call
        for call in file.calls
        if call.name.startswith("sklearn.")
        and (call.method in RANDOM_FOLDS or (call.method in SHUFFLED_FOLDS and _shuffled(call)))
    ]
    splits = [
        call
        for call in file.calls
        if (call.method == "train_test_split" and shuffles(call))
        or call.method in ("randomSplit", "random_split")
    ]
    return [*folds, *splits, *(each.call for each in draws([file]))]


def _shuffled(call: Call) -> bool:
    given = call.argument("shuffle")
    return given is not None and given.value is True


def _seeds(wanted: dict[int, list[Call]]) -> dict[int, list[Seed]]:
    return {
        line: [seed for call in calls if (seed := Seed.of(call)) is not None]
        for line, calls in wanted.items()
    }


def _is_script(file: PythonFile) -> bool:
    """Whether a file is started itself: then a seed for the whole process may be set in it."""
    return file.main_guard or any(
        not call.scope for call in file.calls if call.method in ("fit", "train", "main")
    )


FIX: Final = Fix(
    id="seed",
    title="give a seed to every random split and source",
    flips=_PROBES,
    plan=plan,
)
