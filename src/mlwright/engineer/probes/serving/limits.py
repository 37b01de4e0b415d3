"""Can one caller take it all?"""

from collections.abc import Iterator
from itertools import chain

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_WORDS = frozenset(("max_concurrency", "max_ongoing_requests", "limit_concurrency"))


def look(repository: Repository) -> Answer:
    """Look for limits of rate, size or concurrency."""
    return shown(
        chain(
            _said(repository),
            signs(
                repository,
                packages=(
                    "slowapi",
                    "flask_limiter",
                    "fastapi_limiter",
                    "limits",
                    "aiolimiter",
                    "pyrate_limiter",
                ),
                calls=("*Semaphore", "*CapacityLimiter", "*RateLimiter*", "*Limiter"),
                robots=("--limit-concurrency", "--limit-max-requests", "--max-requests"),
                objects=("RateLimitPolicy", "EnvoyFilter", "HTTPRoute"),
                files=("mlwright.toml", "nginx.conf", "*nginx*.conf"),
            ),
        ),
        "load is limited",
        "nothing here limits rate, size or concurrency",
    )


def _said(repository: Repository) -> Iterator[Sign]:
    """Bounds that model servers take as settings."""
    for file in repository.production:
        for word in sorted(_WORDS & file.words):
            yield word, Location(path=file.path)


PROBE = Probe(
    id="serving.limits",
    title="one caller cannot take all capacity",
    why="One batch job that calls the online endpoint in a loop is an outage for everybody else.",
    remedy="uvicorn --limit-concurrency 64, slowapi, or limits at the gateway",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="OWASP API Security Top 10, API4",
)
