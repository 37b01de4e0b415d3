"""Would a second training give the same model?"""

from collections.abc import Mapping

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import training_side
from mlwright.engineer.vocabulary.randomness import Draw, draws, seeds, steadied
from mlwright.engineer.vocabulary.sides import reached
from mlwright.engineer.vocabulary.words import SHOWN, counted, enumerated
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Ask each source of chance on the training side whether its file, or one that it works with, seeds it."""
    side = training_side(repository)
    drawn = list(draws(side))
    seeded = {each.path: seeds(each) for each in repository.production}
    steady = [file.at(call) for file, call in steadied(side)]
    if not drawn and not any(seeded.values()) and steady:
        return yes(f"{counted(len(steady), 'estimator')} with a seed", *steady[:SHOWN], sources=len(steady))
    if not drawn and not any(seeded.values()):
        return no_question(
            "no source of chance is seen where models are trained (splits are asked for elsewhere)"
        )
    everywhere = frozenset[str]().union(*seeded.values()) if seeded else frozenset()
    near = _near(repository, {each.file.path: each.file for each in drawn}, seeded)
    loose = [each for each in drawn if each.family not in everywhere]
    far = [each for each in drawn if each.family in everywhere and each.family not in near[each.file.path]]
    values = {"sources": len(drawn), "unseeded": len(loose)}
    if loose:
        lines = enumerated(list(dict.fromkeys(f"{each.what} at {each.file.at(each.call)}" for each in loose)))
        said = f"{len(loose)} of {counted(len(drawn), 'source')} of chance without a seed: {lines}"
        return no(said, *_places(loose), **values)
    if far:
        where = min(path for path, families in seeded.items() if far[0].family in families)
        said = f"{far[0].what} at {far[0].file.at(far[0].call)} is seeded if {where} runs before it in the same process"
        return unknown(said, *_places(far), **values)
    return yes(f"{counted(len(drawn), 'source')} of chance, each seeded", *_places(drawn), **values)


def _near(
    repository: Repository, files: Mapping[str, PythonFile], seeded: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    """The families that each file, or one that imports it or is imported by it, gives a seed."""
    seeding = {each.path: each for each in repository.production if seeded[each.path]}
    there = reached({**files, **seeding}.values(), (*files.values(), *seeding.values())) if seeding else {}
    return {
        path: frozenset[str]().union(
            *(seeded[each] for each in seeding if each == path or path in there[each] or each in there[path])
        )
        for path in files
    }


def _places(found: list[Draw]) -> list[Location]:
    return [each.file.at(each.call) for each in found][:SHOWN]


PROBE = Probe(
    id="model.seeded",
    title="every random source has a seed",
    why="Two trainings that differ by chance alone cannot tell a better feature from a luckier run.",
    remedy="pass random_state= to each estimator; call random.seed, np.random.seed and torch.manual_seed first",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    fix="seed",
    source="ML Test Score (Breck et al. 2017), Infrastructure 1; scikit-learn user guide, Controlling randomness",
)
