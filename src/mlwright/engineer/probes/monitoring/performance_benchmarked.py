"""Is a slower model noticed before its users notice?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        packages=("locust", "pyperf", "asv", "molotov"),
        files=(
            "locustfile*.py",
            "*k6*.js",
            "*load_test*",
            "*loadtest*",
            "*load-test*",
            "*benchmark*.py",
            "*bench_*.py",
            "*latency*.py",
            "*perf_test*",
            "*stress_test*",
            "*.jmx",
            "*vegeta*",
            "asv.conf.json",
            "gatling*",
        ),
        robots=(
            "\\b(locust|k6 run|pytest-benchmark|--benchmark|perf_analyzer|wrk|hey )",
            "\\b(vegeta|oha |artillery|genai-perf|codspeed)",
        ),
        calls=("benchmark", "benchmark.pedantic"),
    )
    return shown(found, "the service is benchmarked", "no load test or benchmark of the service")


PROBE = Probe(
    id="monitoring.performance_benchmarked",
    title="latency and throughput are benchmarked",
    why="A new library version doubles the latency, and the time-outs begin at the next peak.",
    remedy="add a load test (locust, k6) to CI and compare with the last release",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="ML Test Score Monitor 6",
)
