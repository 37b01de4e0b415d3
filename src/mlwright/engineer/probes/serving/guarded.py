"""May anybody ask?"""

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


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
    return shown(iter(found), "callers are checked", "nothing here checks who calls")


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
