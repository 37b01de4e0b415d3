"""Are abandoned experiments left lying about?"""

import re
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.words import SHOWN, counted, enumerated
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_LEFT: Final = re.compile(
    r".*[_-](old|backup|bak|copy|unused|obsolete|deprecated)\d?\.(py|ipynb)|.*-copy\d+\.(py|ipynb)|untitled\d*\.(py|ipynb)"
    r"|copy of .*\.(py|ipynb)|.* ?\(\d\)\.(py|ipynb)|(old|backup|tmp|temp|final_final|asdf)\.(py|ipynb)"
    r"|.*[_-]final[_-](final|v?\d+|old|new)\.(py|ipynb)|.*\.(py|ipynb)\.(bak|old|orig)",
    re.IGNORECASE,
)
_TRY: Final = re.compile(r"((?:train|training|main|pipeline)[a-z_]*?)_?v?\d{1,2}\.py", re.IGNORECASE)
_MANY: Final = 3


def look(repository: Repository) -> Answer:
    """Look at the names of production code and notebooks: copies, "old" ones, numbered tries side by side."""
    files = list(repository.production)
    if repository.history is not None:
        files = [each for each in files if each.path in repository.history.tracked]
    left = [each.path for each in files if _LEFT.fullmatch(each.path.rpartition("/")[2])]
    tries: dict[str, list[str]] = {}
    for each in files:
        folder, _, name = each.path.rpartition("/")
        found = _TRY.fullmatch(name)
        if found is not None:
            tries.setdefault(f"{folder}/{found.group(1)}", []).append(each.path)
    left += [path for paths in tries.values() if len(paths) >= _MANY for path in paths]
    if left:
        names = enumerated(sorted(set(left)), 3)
        places = [Location(path=path) for path in sorted(set(left))]
        return no(
            f"{counted(len(places), 'file')} named like an abandoned try: {names}",
            *places[:SHOWN],
            files=len(left),
        )
    return yes("no file is named like a copy or an abandoned try", files=0)


PROBE = Probe(
    id="model.no_dead_ends",
    title="no abandoned experiments lie among the code",
    why="The next person trains with train_old.py, because nothing says which of four files is the real one.",
    remedy="git rm them (the history keeps them), and put what was learned into one line of the README",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="Sculley et al. 2015, Dead Experimental Codepaths",
)
