"""Does a second person look at the code that trains?"""

from mlwright.engineer.facts.history import History
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.words import counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_MANY = 20


def look(repository: Repository) -> Answer:
    """Look for owners, rules of protection and merges; a squashed merge leaves no trace, so absence shows little."""
    history = repository.history
    if history is None:
        return unknown("there is no git history to look at")
    values = {"commits": history.commits, "authors": history.authors, "merges": history.merges}
    owners = list(signs(repository, files=("codeowners",)))
    rules = [each for each in repository.resources if each.type.startswith("github_branch_protection")]
    protected = [each.at for each in rules] + [
        Location(path=each.path)
        for each in repository.find(".github/settings.yml", ".github/rulesets/*.json")
    ]
    if protected or owners:
        said = (
            f"{protected[0].path} protects a branch"
            if protected
            else f"{owners[0][0]} names who must be asked"
        )
        return yes(said, *(protected or [place for _, place in owners]), **values)
    return _by_merges(repository, history, values)


def _by_merges(repository: Repository, history: History, values: dict[str, int]) -> Answer:
    people = counted(history.authors, "author")
    template = [Location(path=each.path) for each in repository.find("*pull_request_template*")]
    if history.authors > 1 and history.merges:
        said = f"{history.merges} of {counted(history.commits, 'commit')} by {people} are merges"
        return yes(said, *template, **values)
    if history.authors > 1:
        return unknown(
            f"{people}, no merge to be seen: squashed pull requests leave none", *template, **values
        )
    if not history.shallow and not history.merges and history.commits >= _MANY:
        return no(f"{counted(history.commits, 'commit')}, all by one author, none merged", **values)
    return unknown(f"{counted(history.commits, 'commit')} by {people}: too little to tell", **values)


PROBE = Probe(
    id="model.reviewed",
    title="changes to the model's code are reviewed",
    why="A wrong join or a leaking feature raises no error; a second pair of eyes is what finds it.",
    remedy="protect the main branch, require one approval, and write who must be asked into .github/CODEOWNERS",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="ML Test Score (Breck et al. 2017), Model 1",
)
