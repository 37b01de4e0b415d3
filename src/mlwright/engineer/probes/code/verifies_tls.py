"""Does the code check whom it talks to?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_OFF = "ssl._create_unverified_context"
_LIBRARIES = ("requests", "httpx", "aiohttp", "urllib3")
_CLIENTS = tuple(f"{name}." for name in _LIBRARIES)


def look(repository: Repository) -> Answer:
    """Look for switched-off checks of certificates in production code."""
    clients = [
        (file, call)
        for file in repository.production
        if file.imports_any(*_LIBRARIES)
        for call in file.calls
        if call.name.startswith(_CLIENTS) or call.made_by.startswith(_CLIENTS)
    ]
    faults = list(repository.calls(_OFF))
    for file, call in clients:
        given = call.argument("verify") or call.argument("verify_ssl")
        if given is not None and given.constant and given.value is False:
            faults.append((file, call))
    if faults:
        file, call = faults[0]
        return no(
            f"{file.at(call)} does not check the certificate",
            *(f.at(c) for f, c in faults),
            calls=len(faults),
        )
    if not clients:
        return no_question("nothing here talks HTTP")
    return yes(f"{len(clients)} calls of HTTP clients, all check certificates", calls=len(clients))


PROBE = Probe(
    id="code.verifies_tls",
    title="certificates are checked",
    why="Without the check anybody on the way can hand in other data or another model.",
    remedy="drop verify=False; pass the company's certificate: verify='/etc/ssl/company.pem'",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CWE-295",
)
