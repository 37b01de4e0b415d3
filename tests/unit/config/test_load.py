import json
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlwright.adapters.config import FILE_NAME, find_project, load_settings, settings_schema
from mlwright.errors import SettingsError
from mlwright.model.durations import format_duration
from mlwright.model.settings import ServeSettings, Settings
from mlwright.model.watch_settings import MonitorSettings, SloSettings

ROOT = Path(__file__).parents[3]
PROJECT = '[project]\nname = "p"\n'
ENDPOINT = """
[[endpoint]]
name = "delay"
model = "flight-delay@champion"
entity = "id"
timestamp = "at"
label = { column = "late", horizon = "12h" }
"""


def load(folder: Path, text: str, **environment: str) -> Settings:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return load_settings(folder / FILE_NAME, environment)


def faults(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, **environment)
    assert caught.value.where == str(folder / FILE_NAME)
    assert caught.value.next_command
    return [str(fault) for fault in caught.value.faults]


def test_the_flights_example() -> None:
    settings = load_settings(ROOT / "examples" / "flights" / FILE_NAME, {})
    endpoint = settings.endpoint("delay")
    assert endpoint is not None
    assert endpoint.rollout is not None
    assert [(step.share, step.at_least.days) for step in endpoint.rollout.steps] == [
        (0, 3),
        (0.1, 2),
        (0.5, 2),
    ]
    assert endpoint.rollout.latency_margin == pytest.approx(0.2)
    assert endpoint.slo == SloSettings(latency_p99=timedelta(milliseconds=50), availability=0.999)
    assert endpoint.retrain is not None
    assert endpoint.retrain.windows == ("all", "91d")
    view = settings.view("weather_at_origin")
    assert view is not None
    assert (view.entity, view.ttl, len(view.features)) == (("origin",), timedelta(hours=6), 9)
    assert [dataset.contract for dataset in settings.datasets] == [
        "contracts/flights.odcs.yaml",
        "contracts/weather.odcs.yaml",
    ]
    for dataset in settings.datasets:
        assert dataset.contract is not None
        assert (settings.root / dataset.contract).is_file()


def test_the_smallest_file_has_all_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, PROJECT + ENDPOINT)
    assert settings.root == tmp_path.resolve()
    assert settings.database == f"sqlite:///{tmp_path.resolve()}/.mlwright/mlwright.db"
    assert settings.artifacts == str(tmp_path.resolve() / ".mlwright" / "artifacts")
    assert (settings.pipelines, settings.seed, settings.serve) == (("pipeline.py",), 0, ServeSettings())
    endpoint = settings.endpoints[0]
    assert (endpoint.slo, endpoint.monitor) == (SloSettings(), MonitorSettings())
    assert (endpoint.rollout, endpoint.retrain) == (None, None)


def test_all_faults_are_reported_at_once_with_key_paths_and_near_misses(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
zzz = 1
[project]
nmae = "x"
seed = "3"
[storage]
database = "env:NO_SUCH_DATABASE"
[serve]
host = "0.0.0.0"
port = 8501
[[dataset]]
name = "w"
source = "a.csv"
[[dataset]]
name = "w"
source = 3
[[feature_view]]
name = "v"
dataset = "ww"
entity = []
timestamp = "t"
ttl = "6 hours"
features = ["a", "a"]
[[endpoint]]
name = "delay"
model = "flight-delay"
entity = "e"
timestamp = "t"
features = ["vv"]
label = { column = "late", horizn = "12h" }
rollout = { steps = ["shadow 3d", "110% 2d", "x"], latency_margin = "lots", min_label = 4, deadline = "0d" }
monitor = { metric = "acu", level = 1.5 }
retrain = { pipeline = "train", on = ["performanc"], windows = ["91d", "everything"], approval = "manul" }
[[endpoint]]
name = "delay"
model = "flight-delay@champion"
entity = "e"
timestamp = "t"
label = { column = "late", horizon = "12h" }
rollout = { steps = ["shadow", "10% 20d", "10% 2d"] }
[[notify]]
kind = "webhook"
[[notify]]
kind = "log"
url = "https://example.com"
""",
    )
    assert sorted(found) == sorted(
        [
            "zzz: is not a key here",
            "project.name: is missing",
            "project.nmae: is not a key here (did you mean 'name'?)",
            "project.seed: input should be a valid integer, not '3'",
            "storage.database: the environment variable NO_SUCH_DATABASE is not set",
            (
                "serve.host: '0.0.0.0' would be open to others, and there are no tokens yet: "
                "use 127.0.0.1, ::1 or localhost"
            ),
            "serve.inference_port: 8501 is already the port of the pages",
            "dataset[1].name: 'w' is already dataset[0]",
            "dataset[1].source: input should be a valid string, not 3",
            "feature_view[0].dataset: no dataset is named 'ww'; there is w (did you mean 'w'?)",
            "feature_view[0].entity: needs at least one entry",
            "feature_view[0].ttl: '6 hours' is not a duration: write a number and ms, s, m, h, d or w, as in '14d'",
            "feature_view[0].features: 'a' is named twice",
            "endpoint[0].model: 'flight-delay' is not a model and its alias: write 'flight-delay@champion'",
            "endpoint[0].features[0]: no feature view is named 'vv'; there is v (did you mean 'v'?)",
            "endpoint[0].label.horizon: is missing",
            "endpoint[0].label.horizn: is not a key here (did you mean 'horizon'?)",
            "endpoint[0].rollout.steps[1]: the share of '110% 2d' must be above 0% and at most 100%",
            "endpoint[0].rollout.steps[2]: 'x' is not a step: write 'shadow 3d' or '10% 2d'",
            "endpoint[0].rollout.latency_margin: 'lots' is not a share: write '20%' or 0.2",
            "endpoint[0].rollout.min_label: is not a key here (did you mean 'min_labels'?)",
            "endpoint[0].rollout.deadline: '0d' must be longer than nothing",
            (
                "endpoint[0].monitor.metric: 'acu' is not measured where the task is 'binary': auc, brier, log_loss, "
                "accuracy, precision, recall, specificity, f1, average_precision (did you mean 'auc'?)"
            ),
            "endpoint[0].monitor.level: input should be less than 1, not 1.5",
            (
                "endpoint[0].retrain.on[0]: 'performanc' is none of performance, drift, data, schedule:daily, "
                "schedule:weekly, schedule:monthly (did you mean 'performance'?)"
            ),
            (
                "endpoint[0].retrain.windows[1]: 'everything' is not a duration: "
                "write a number and ms, s, m, h, d or w, as in '14d'"
            ),
            (
                "endpoint[0].retrain.approval: 'manul' is none of auto, manual, manual:performance, manual:drift, "
                "manual:data, manual:schedule (did you mean 'manual'?)"
            ),
            "endpoint[1].name: 'delay' is already endpoint[0]",
            "endpoint[1].rollout.steps[2]: 10% follows 10%; the share has to rise at each step",
            "endpoint[1].rollout.deadline: 21d is shorter than the steps together (22d) and the label's horizon (12h)",
            "notify[0].url: is missing; a webhook needs one",
            "notify[1].url: belongs to a webhook; the log has no url",
        ]
    )


def test_faults_of_what_is_watched_and_told(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
[project]
name = "p"
[[endpoint]]
name = "delay"
model = "flight-delay@champion"
entity = "e"
timestamp = "t"
label = { column = "late", horizon = "12h" }
monitor = { task = "ranking", metric = "ndgc@10" }
value = { currency = "EUR", true_positive = 3 }
retrain = { pipeline = "train", on = ["data"], approval = "manual:drft" }
[[endpoint]]
name = "price"
model = "price@champion"
value = { currency = "EUR" }
[[notify]]
kind = "slack"
[[notify]]
kind = "pagerduty"
name = "slack"
key = "in the clear"
endpoints = ["delya"]
[[notify]]
kind = "email"
url = "https://mail.example.com"
to = ["a@example.com"]
[[escalation]]
level = "page"
steps = [{ after = "0s", to = ["slak"] }]
""",
    )
    assert sorted(found) == sorted(
        [
            (
                "endpoint[0].monitor.metric: 'ndgc@10' is not measured where the task is 'ranking': "
                "ndcg, map, mrr, recall, precision, hit (did you mean 'ndcg'?)"
            ),
            "endpoint[0].monitor.group: is missing; a ranking is judged within each query or user",
            "endpoint[0].value.true_positive: is not read where the task is 'ranking': right, wrong",
            "endpoint[0].retrain.new_rows: is missing; the trigger 'data' waits for so many labels",
            (
                "endpoint[0].retrain.approval: 'manual:drft' is none of auto, manual, manual:performance, "
                "manual:drift, manual:data, manual:schedule (did you mean 'manual:drift'?)"
            ),
            (
                "endpoint[1].value: says what nothing is worth; one of true_positive, false_positive, "
                "true_negative, false_negative is needed"
            ),
            "endpoint[1].label: is missing; value needs to know what became true",
            "notify[0].url: is missing; a slack needs one",
            "notify[1].name: 'slack' is the name of notify[0] already; give each channel a name of its own",
            "notify[1].key: is a secret: keep it elsewhere, and write env:NAME or file:PATH",
            "notify[1].endpoints[0]: no endpoint is named 'delya'; there is delay, price (did you mean 'delay'?)",
            "notify[2].url: is not smtp://HOST:PORT or smtps://HOST:PORT",
            "notify[2].sender: is missing; an email needs one",
            "escalation[0].steps[0].to[0]: no notify is named 'slak'; there is slack, email (did you mean 'slack'?)",
        ]
    )


def test_a_file_that_is_no_toml_has_line_and_column(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[project]\nname = "p"\nseed = = 3\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / FILE_NAME, {})
    assert caught.value.where == f"{tmp_path / FILE_NAME}:3:8"
    assert "Invalid value" in caught.value.what
    (tmp_path / FILE_NAME).write_text("[project")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings(tmp_path / FILE_NAME, {})
    (tmp_path / FILE_NAME).write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings(tmp_path / FILE_NAME, {})


def test_the_project_is_found_upwards(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / FILE_NAME).write_text(PROJECT)
    assert find_project(inner) == tmp_path.resolve() / FILE_NAME
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(SettingsError) as caught:
        find_project(inner)
    assert caught.value.next_command == "mlwright init"
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / FILE_NAME)
    assert caught.value.next_command == "mlwright init"


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ("env:DB", "postgresql+psycopg://u:p@h/n"),
        ("file:secret", "postgresql+psycopg://u:p@h/n"),
        ("postgres://h/n", "postgresql+psycopg://h/n"),
        ("sqlite:////abs/x.db", "sqlite:////abs/x.db"),
    ],
)
def test_references_to_the_database(tmp_path: Path, database: str, url: str) -> None:
    (tmp_path / "secret").write_text("postgresql://u:p@h/n\n")
    text = f'{PROJECT}[storage]\ndatabase = "{database}"\n'
    settings = load(tmp_path, text, DB="postgresql://u:p@h/n")
    assert settings.database == url
    assert "u:p" not in repr(settings)


def test_relative_paths_are_of_the_project(tmp_path: Path) -> None:
    text = f'{PROJECT}[storage]\nstate = "s"\ndatabase = "sqlite:///x.db"\nartifacts = "blobs"\n'
    settings = load(tmp_path, text)
    assert settings.database == f"sqlite:///{tmp_path.resolve()}/x.db"
    assert settings.artifacts == str(tmp_path.resolve() / "blobs")
    assert settings.state == tmp_path.resolve() / "s"
    assert load(tmp_path, f'{PROJECT}[storage]\nartifacts = "s3://b/p"\n').artifacts == "s3://b/p"


def test_faults_of_references_show_no_secret(tmp_path: Path) -> None:
    text = (
        f'{PROJECT}[storage]\ndatabase = "env:DB"\nartifacts = "file:none"\n'
        '[[notify]]\nkind = "webhook"\nurl = "env:HOOK"\n'
    )
    found = faults(tmp_path, text, DB="mysql://u:secret@h/n", HOOK="hunter2")
    assert found == [
        (
            "storage.database: is not a database that can be used; write sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ),
        f"storage.artifacts: the file {tmp_path.resolve() / 'none'} cannot be read: No such file or directory",
        "notify[0].url: is not an http or https URL",
    ]
    assert faults(tmp_path, f'{PROJECT}[storage]\ndatabase = "sqlite:///:memory:"\n') == [
        "storage.database: a database in memory is gone after each command; name a file"
    ]
    near = faults(tmp_path, f'{PROJECT}[storage]\ndatabase = "env:MLWRIGHT_DB"\n', MLWRIGHT_DBX="x")
    assert near[0].endswith("is not set (did you mean 'MLWRIGHT_DBX'?)")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_hosts_that_nobody_else_reaches(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, f'{PROJECT}[serve]\nhost = "{host}"\n').serve.host == host


@pytest.mark.parametrize("host", ["::", "192.168.1.4", "example.com", ""])
def test_hosts_that_others_reach_are_refused(tmp_path: Path, host: str) -> None:
    (found,) = faults(tmp_path, f'{PROJECT}[serve]\nhost = "{host}"\n')
    assert found.startswith("serve.host: ")
    assert "tokens" in found


def test_one_process_needs_one_port(tmp_path: Path) -> None:
    assert load(tmp_path, f"{PROJECT}[serve]\nport = 8501\nworkers = 0\n").serve.workers == 0


@limits(max_examples=40)
@given(
    shares=st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True),
    hours=st.integers(1, 24),
    shadow=st.booleans(),
)
def test_steps_round_trip(
    tmp_path_factory: pytest.TempPathFactory, shares: list[int], hours: int, shadow: bool
) -> None:
    span = format_duration(timedelta(hours=hours))
    steps = [f"shadow {span}"] * shadow + [f"{share}% {span}" for share in sorted(shares)]
    text = f"{PROJECT}{ENDPOINT}rollout = {{ steps = {json.dumps(steps)} }}\n"
    rollout = load(tmp_path_factory.mktemp("any"), text).endpoints[0].rollout
    assert rollout is not None
    assert [f"{step.name} {format_duration(step.at_least)}" for step in rollout.steps] == steps


KEYS = st.sampled_from(
    ["name", "steps", "deadline", "rollout", "features", "label", "url", "kind", "source", "port"]
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-2, 9000), st.floats(), st.sampled_from(["", "a", "env:X", "14d", "10%"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
TOPS = st.sampled_from(["project", "storage", "serve", "dataset", "feature_view", "endpoint", "notify", "x"])


@limits(max_examples=40)
@given(raw=st.dictionaries(TOPS, VALUES, max_size=4))
def test_any_toml_is_settings_or_faults(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, object]
) -> None:
    text = "".join(f"{key} = {inline(value)}\n" for key, value in raw.items())
    assert tomllib.loads(text).keys() == raw.keys()
    try:
        load(tmp_path_factory.mktemp("any"), text)
    except SettingsError as error:
        assert error.faults  # noqa: PT017


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def test_the_published_schema_is_up_to_date_and_accepts_the_example() -> None:
    """Write it anew with: mlwright settings-schema > docs/reference/mlwright.schema.json."""
    published = json.loads((ROOT / "docs" / "reference" / "mlwright.schema.json").read_text())
    assert published == settings_schema()
    Draft202012Validator.check_schema(published)
    validator = Draft202012Validator(published)
    example = tomllib.loads((ROOT / "examples" / "flights" / FILE_NAME).read_text())
    assert list(validator.iter_errors(example)) == []
    example["endpoint"][0]["rollout"]["steps"][1] = "ten percent"
    example["projct"] = {}
    assert {tuple(error.absolute_path) for error in validator.iter_errors(example)} == {
        (),
        ("endpoint", 0, "rollout"),
    }
