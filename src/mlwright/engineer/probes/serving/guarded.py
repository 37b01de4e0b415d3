"""May anybody ask?"""

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look for authentication in the code, or a gate in front of it."""
    found = list(
        signs(
            repository,
            packages=(
                "fastapi.security",
                "flask_jwt_extended",
                "flask_httpauth",
                "flask_login",
                "jwt",
                "jose",
            ),
            calls=(
                "*APIKeyHeader",
                "*HTTPBearer",
                "*OAuth2PasswordBearer",
                "*verify_token*",
                "*check_api_key*",
            ),
            objects=(
                "AuthorizationPolicy",
                "RequestAuthentication",
                "NetworkPolicy",
                "SecurityPolicy",
                "KongPlugin",
            ),
        )
    )
    found += [
        (f"{each.type} {each.name}", each.at)
        for each in repository.resources
        if any(word in each.type.lower() for word in ("apigateway", "api_gateway", "cognito", "waf", "iap"))
    ]
    found += [
        ("mlwright binds to 127.0.0.1 without tokens", each.at())
        for each in repository.of_kind(DocumentKind.MLWRIGHT)
    ]
    found = found or _said(repository, _CHECKS)
    if not found:
        spoken = _said(repository, _MAY_CHECK)
        if spoken:
            return unknown(
                f"the service speaks of {spoken[0][0]}; whether it checks its callers by it cannot be told",
                *(place for _, place in spoken[:5]),
            )
    return shown(iter(found), "callers are checked", "nothing here checks who calls")


def _said(repository: Repository, words: frozenset[str]) -> list[Sign]:
    """The words that a file which answers uses as a name or a short text."""
    return [
        (min(words & file.words), Location(path=file.path))
        for file in serving_files(repository)
        if words & file.words
    ]


_CHECKS = frozenset(
    "x-api-key login_required requires_auth require_auth auth_required compare_digest get_current_user "
    "permission_classes www-authenticate httpbasic jwt_required require_api_key verify_api_key basic_auth".split()
)
# A key may also be one that the service itself needs elsewhere.
_MAY_CHECK = frozenset(
    "api_key api_keys apikey authorization bearer access_token authenticate auth_token".split()
)


PROBE = Probe(
    id="serving.guarded",
    title="not everybody may ask the endpoint",
    why="A model behind an open port can be copied by asking it, and billed to you.",
    remedy="put it behind the gateway, or check a token (fastapi.security)",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="OWASP API Security Top 10, API2",
)
