"""Registered models, versions and webhooks over the wire of the MLflow protocol."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from mlwright.model.endpoints import Variant
from mlwright.model.ids import Digest, EndpointName, ModelName
from mlwright.model.registry import Signature
from mlwright.model.webhooks import ReceiverAnswer
from mlwright.platform.tracking.dispatching import Dispatcher
from mlwright.stages.ledger import store as ledger
from mlwright.stages.ledger.tables import audit
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.tables import webhooks as webhook_table
from mlwright.stages.serving.store import set_route
from mlwright.testing.fakes.webhooks import RecordingWebhookSender

MODELS, VERSIONS, HOOKS = "2.0/mlflow/registered-models", "2.0/mlflow/model-versions", "2.0/mlflow/webhooks"
EVENTS = [
    {"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"},
    {"entity": "MODEL_VERSION", "action": "CREATED"},
]


@pytest.fixture
def sender(tracking):
    tracking.book.sender = RecordingWebhookSender()
    return tracking.book.sender


@pytest.fixture
def ask(mlflow):
    def ask(method, path, **given):
        answer = mlflow.ask(method, path, query=given) if method == "GET" else mlflow.ask(method, path, given)
        return (
            answer.json
            if answer.status == 200
            else (answer.status, answer.json["error_code"], answer.json["message"])
        )

    return ask


def wait(tracking, seconds):
    clock = tracking.book.clock
    clock.advance_to(clock.now() + timedelta(seconds=seconds))


@pytest.fixture
def model(ask):
    ask("POST", f"{MODELS}/create", name="churn", tags=[{"key": "team", "value": "a"}])
    return "churn"


def register(ask, model, source="s3://bucket/model", **given):
    return ask("POST", f"{VERSIONS}/create", name=model, source=source, **given)["model_version"]


def test_a_version_comes_back_as_the_client_reads_it(ask, model):
    made = register(ask, model, tags=[{"key": "k", "value": "v"}], description="d")
    assert {"creation_timestamp", "last_updated_timestamp"} < set(made)
    assert {key: value for key, value in made.items() if not key.endswith("timestamp")} == {
        "name": "churn",
        "version": "1",
        "current_stage": "None",
        "source": "s3://bucket/model",
        "run_id": "",
        "run_link": "",
        "status": "READY",
        "description": "d",
        "tags": [{"key": "k", "value": "v"}],
    }
    ask("POST", f"{MODELS}/alias", name=model, alias="champion", version="1")
    read = ask("GET", f"{VERSIONS}/get", name=model, version="1")["model_version"]
    assert read == made | {"aliases": ["champion"]}
    whole = ask("GET", f"{MODELS}/get", name=model)["registered_model"]
    assert whole["aliases"] == [{"alias": "champion", "version": "1"}]
    assert whole["latest_versions"] == [made]
    assert ask("GET", f"{VERSIONS}/get-download-uri", name=model, version="1") == {
        "artifact_uri": "s3://bucket/model"
    }


def test_an_alias_moves_with_an_audit_row_that_names_where_it_was(ask, model, tracking):
    for _ in range(2):
        register(ask, model)
    for number in ("1", "2"):
        assert ask("POST", f"{MODELS}/alias", name=model, alias="champion", version=number) == {}
    assert ask("GET", f"{MODELS}/alias", name=model, alias="champion")["model_version"]["version"] == "2"
    with tracking.book.read() as tx:
        rows = [each for each in ledger.list_audit(tx) if each.action == "alias"]
    assert [(each.subject, each.details["previous"]) for each in rows] == [
        ("model:churn/2", 1),
        ("model:churn/1", None),
    ]
    ask("DELETE", f"{MODELS}/alias", name=model, alias="champion")
    assert ask("GET", f"{MODELS}/alias", name=model, alias="champion")[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert ask("DELETE", f"{MODELS}/alias", name=model, alias="champion") == {}


SOMEBODY_ELSES = (
    "/etc/passwd",
    "file:///etc/passwd",
    "../x",
    "mlflow-artifacts:/../../etc",
    "mlflow-artifacts:/0/%252e%252e/x",
    "mlflow-artifacts:/0/other/artifacts",
    "mlflow-artifacts://host/0/RUN/artifacts",
    "mlflow-artifacts:/0/RUN/artifactsx",
    "mlflow-artifacts:/0/RUN/artifacts/../../other",
    "s3://bucket/../x",
    "s3://bucket/a%00b",
    "s3://bucket",
    "http://example.org/x",
    "runs:/other/model",
    "runs://host/RUN/model",
    "models:/m-unknown",
    "models://host/churn/1",
    "models:/a/b/c",
    "C:\\x",
)


def test_a_source_that_is_of_somebody_else_is_refused(ask, model):
    run = ask("POST", "2.0/mlflow/runs/create", experiment_id="0")["run"]["info"]["run_id"]
    for source in SOMEBODY_ELSES:
        asked = {"name": model, "source": source.replace("RUN", run), "run_id": run}
        answer = ask("POST", f"{VERSIONS}/create", **asked)
        assert answer[:2] == (400, "INVALID_PARAMETER_VALUE"), source


def test_a_source_of_the_run_itself_is_taken_with_its_lineage(ask, model, tracking):
    info = ask("POST", "2.0/mlflow/runs/create", experiment_id="0")["run"]["info"]
    made = register(ask, model, f"{info['artifact_uri']}/model", run_id=info["run_id"])
    register(ask, model, f"runs:/{info['run_id']}/model", run_id=info["run_id"])
    copy = register(ask, model, "models:/churn/1")
    assert (copy["source"], copy["run_id"]) == ("models:/churn/1", info["run_id"])
    found = ask("GET", f"{VERSIONS}/get-download-uri", name=model, version="3")
    assert found == {"artifact_uri": made["source"]}
    with tracking.book.read() as tx:
        causes = {
            str(each.cause) for each in ledger.trace(tx, ledger.Node(kind="model", id="churn/3")).causes
        }
    assert {f"run:{info['run_id']}", "model:churn/1"} <= causes


def test_a_version_that_a_pipeline_stored_can_be_read_by_clients(ask, tracking):
    with tracking.book.write() as tx:
        registry.create_version(
            tx,
            ModelName("delay"),
            Digest("blake3:a"),
            run=None,
            at=tracking.book.clock.now(),
            signature=Signature(inputs=(), outputs=()),
            flavor="sklearn",
        )
    found = ask("GET", f"{VERSIONS}/get", name="delay", version="1")["model_version"]
    assert found["source"] == "mlflow-artifacts:/registry/delay/1"
    assert (
        ask("GET", f"{VERSIONS}/get-download-uri", name="delay", version="1")["artifact_uri"]
        == found["source"]
    )


def test_what_an_endpoint_serves_is_not_taken_away(ask, model, tracking):
    register(ask, model)
    register(ask, model)
    with tracking.book.write() as tx:
        variant = Variant(name="champion", model=ModelName(model), version=1, share=1.0)
        set_route(tx, EndpointName("web"), [variant], at=tracking.book.clock.now())
    for method, path, given in (
        ("DELETE", f"{VERSIONS}/delete", {"version": "1"}),
        ("DELETE", f"{MODELS}/delete", {}),
        ("POST", f"{MODELS}/rename", {"new_name": "other"}),
    ):
        status, code, text = ask(method, path, name=model, **given)
        assert (status, code) == (400, "INVALID_STATE")
        assert "endpoint 'web'" in text
    assert ask("DELETE", f"{VERSIONS}/delete", name=model, version="2") == {}


FAULTS = (
    ("GET", f"{MODELS}/get", {"name": "none"}, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", f"{MODELS}/get", {}, "INVALID_PARAMETER_VALUE"),
    ("POST", f"{MODELS}/create", {"name": "churn"}, "RESOURCE_ALREADY_EXISTS"),
    ("POST", f"{MODELS}/create", {"name": "a/b"}, "INVALID_PARAMETER_VALUE"),
    (
        "POST",
        f"{MODELS}/alias",
        {"name": "churn", "alias": "v1", "version": "1"},
        "INVALID_PARAMETER_VALUE",
    ),
    (
        "POST",
        f"{MODELS}/alias",
        {"name": "churn", "alias": "a", "version": "1"},
        "RESOURCE_DOES_NOT_EXIST",
    ),
    ("GET", f"{VERSIONS}/get", {"name": "churn", "version": "x"}, "INVALID_PARAMETER_VALUE"),
    ("POST", f"{VERSIONS}/create", {"name": "none", "source": "s3://a/b"}, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", f"{HOOKS}/none", {}, "RESOURCE_DOES_NOT_EXIST"),
)


def test_faults_have_the_codes_that_clients_know(ask, model):
    for method, path, given, code in FAULTS:
        assert ask(method, path, **given)[1] == code, (path, given)


def test_a_prompt_is_kept_with_its_text(ask):
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    ask("POST", f"{MODELS}/create", name="greet", tags=prompt)
    tags = [*prompt, {"key": "mlflow.prompt.text", "value": "Hi {{name}}"}]
    assert register(ask, "greet", "dummy-source", tags=tags)["version"] == "1"
    assert (
        ask("POST", f"{VERSIONS}/create", name="greet", source="s3://a/b", tags=tags)[1]
        == "INVALID_PARAMETER_VALUE"
    )
    refused = ask("POST", f"{VERSIONS}/create", name="greet", source="models:/greet/1")
    assert "Prompt versions cannot be used" in refused[2]


def test_a_webhook_is_told_signed_and_its_secret_is_shown_nowhere(ask, model, tracking, sender, tmp_path):
    hook = ask("POST", HOOKS, name="ci", url="https://example.org/t0ken", events=EVENTS, secret="s3cret")[
        "webhook"
    ]
    assert hook["events"] == EVENTS
    register(ask, model)
    ask("POST", f"{MODELS}/alias", name=model, alias="champion", version="1")
    assert sender.sent == []
    assert Dispatcher(tracking.book, sender).deliver_due() == 2
    stamp = str(int(tracking.book.clock.now().timestamp()))
    for _, headers, body in sender.sent:
        signed = f"{headers['X-MLflow-Delivery-Id']}.{stamp}.{body.decode()}".encode()
        digest = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
        assert (headers["X-MLflow-Signature"], headers["X-MLflow-Timestamp"]) == (f"v1,{digest}", stamp)
    told = [json.loads(body) for _, _, body in sender.sent]
    assert {f"{each['entity']}.{each['action']}": each["data"] for each in told} == {
        "model_version.created": {
            "name": "churn",
            "version": "1",
            "source": "s3://bucket/model",
            "run_id": None,
            "tags": {},
            "description": None,
        },
        "model_version_alias.created": {"name": "churn", "alias": "champion", "version": "1"},
    }
    with tracking.book.read() as tx:
        [reference] = tx.execute(select(webhook_table.c.secret)).scalars()
        kept = repr(tx.execute(select(audit)).all()) + repr(tx.execute(select(webhook_table)).all())
    assert "s3cret" not in json.dumps(hook) + json.dumps(ask("GET", f"{HOOKS}/{hook['webhook_id']}")) + kept
    assert "t0ken" not in repr(tracking.webhooks.deliveries(hook["webhook_id"]))
    [file] = tracking.webhooks.secrets.iterdir()
    assert (f"file:{file}", oct(file.stat().st_mode)[-3:]) == (reference, "600")


def test_a_webhook_is_changed_listed_tested_and_deleted(ask, sender):
    for number in range(3):
        ask("POST", HOOKS, name=f"hook-{number}", url="https://example.org/", events=EVENTS)
    page = ask("GET", HOOKS, max_results=2)
    rest = ask("GET", HOOKS, max_results=2, page_token=page["next_page_token"])
    assert (len(page["webhooks"]), len(rest["webhooks"]), "next_page_token" in rest) == (2, 1, False)
    id = rest["webhooks"][0]["webhook_id"]
    changed = ask("PATCH", f"{HOOKS}/{id}", name="other", status="DISABLED", events=EVENTS[:1])["webhook"]
    assert (changed["name"], changed["status"], changed["events"]) == ("other", "DISABLED", EVENTS[:1])
    sender.answer = ReceiverAnswer(status=418, body="short")
    done = ask("POST", f"{HOOKS}/{id}/test")["result"]
    assert done == {"success": False, "response_status": 418, "response_body": "short"}
    sender.answer = OSError("nobody answers")
    done = ask("POST", f"{HOOKS}/{id}/test", event={"entity": "PROMPT", "action": "CREATED"})["result"]
    assert done == {"success": False, "error_message": "Failed to test webhook: nobody answers"}
    assert ask("DELETE", f"{HOOKS}/{id}") == {}
    assert ask("GET", f"{HOOKS}/{id}")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "given",
    [
        {"url": "http://example.org/"},
        {"name": "a b"},
        {"events": []},
        {"events": [{"entity": "PROMPT", "action": "EXCEEDED"}]},
        {"status": "ASLEEP"},
    ],
)
def test_webhooks_that_cannot_be_are_refused(ask, sender, given):
    asked = {"name": "ci", "url": "https://example.org/", "events": EVENTS} | given
    assert ask("POST", HOOKS, **asked)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_receiver_that_is_away_is_told_later_and_in_order(ask, model, tracking, sender):
    hook = ask("POST", HOOKS, name="ci", url="https://example.org/", events=EVENTS)["webhook"]["webhook_id"]
    for _ in range(2):
        register(ask, model)
        wait(tracking, 1)
    dispatcher = Dispatcher(tracking.book, sender, attempts=3)
    sender.answer = OSError("nobody answers")
    assert dispatcher.deliver_due() == 1
    assert dispatcher.deliver_due() == 0
    wait(tracking, 1)
    assert dispatcher.deliver_due() == 1
    sender.answer = ReceiverAnswer(status=200, body="")
    wait(tracking, 2)
    # A new process finds what the one before it left.
    assert Dispatcher(tracking.book, sender).deliver_due() == 2
    assert [json.loads(body)["data"]["version"] for _, _, body in sender.sent] == ["1", "2"]
    assert sorted(each.attempts for each in tracking.webhooks.deliveries(hook)) == [1, 3]
    assert {each.state for each in tracking.webhooks.deliveries(hook)} == {"delivered"}


@pytest.mark.parametrize(
    ("answer", "attempts", "error"),
    [
        (ReceiverAnswer(status=404, body=""), 1, "the receiver answered 404"),
        (ReceiverAnswer(status=503, body="", retry_after=30), 2, "the receiver answered 503"),
        (OSError("nobody answers"), 2, "nobody answers"),
    ],
)
def test_a_delivery_is_given_up_with_the_reason(ask, model, tracking, sender, answer, attempts, error):
    hook = ask("POST", HOOKS, name="ci", url="https://example.org/", events=EVENTS)["webhook"]["webhook_id"]
    register(ask, model)
    sender.answer = answer
    dispatcher = Dispatcher(tracking.book, sender, attempts=2)
    for _ in range(4):
        dispatcher.deliver_due()
        wait(tracking, 31)
    [found] = tracking.webhooks.deliveries(hook)
    assert (found.state, found.attempts, found.error) == ("failed", attempts, error)


def test_nothing_is_sent_unsigned_when_the_secret_is_gone(ask, model, tracking, sender):
    ask("POST", HOOKS, name="ci", url="https://example.org/", events=EVENTS, secret="file:/etc/hostname")
    [kept] = tracking.webhooks.secrets.iterdir()
    secret = kept.read_text()
    assert secret == "file:/etc/hostname"  # a text like any other: a client does not choose what is read here
    kept.unlink()
    register(ask, model)
    dispatcher = Dispatcher(tracking.book, sender)
    dispatcher.deliver_due()
    assert sender.sent == []
    kept.write_text(secret)
    wait(tracking, 5)
    dispatcher.deliver_due()
    assert "X-MLflow-Signature" in sender.sent[0][1]


def test_a_refused_change_tells_nobody(ask, model, tracking, sender):
    ask("POST", HOOKS, name="ci", url="https://example.org/", events=EVENTS)
    assert ask("POST", f"{MODELS}/alias", name=model, alias="champion", version="9")[0] == 404
    assert Dispatcher(tracking.book, sender).deliver_due() == 0


def test_the_thread_delivers_and_ends(ask, model, tracking, sender):
    ask("POST", HOOKS, name="ci", url="https://example.org/", events=EVENTS)
    register(ask, model)
    dispatcher = Dispatcher(tracking.book, sender, poll_s=0.01)
    dispatcher.start()
    for _ in range(500):
        if sender.sent:
            break
        dispatcher._ending.wait(0.01)
    dispatcher.stop()
    assert len(sender.sent) == 1
