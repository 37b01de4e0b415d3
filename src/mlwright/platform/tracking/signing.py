"""One call of a webhook: body, headers and signature as MLflow makes them (``mlflow/webhooks/delivery.py``)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

SIGNATURE: Final = "X-MLflow-Signature"
TIMESTAMP: Final = "X-MLflow-Timestamp"
DELIVERY: Final = "X-MLflow-Delivery-Id"

_TAG: Final = {"key": "example_key", "value": "example_value"}
_TAGS: Final = {"tags": {"example_key": "example_value"}}
EXAMPLES: Final[Mapping[str, Mapping[str, object]]] = {
    "registered_model.created": {
        "name": "example_model",
        **_TAGS,
        "description": "An example registered model",
    },
    "model_version.created": {
        "name": "example_model",
        "version": "1",
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        **_TAGS,
        "description": "An example model version",
    },
    "model_version_tag.set": {"name": "example_model", "version": "1", **_TAG},
    "model_version_tag.deleted": {"name": "example_model", "version": "1", "key": "example_key"},
    "model_version_alias.created": {"name": "example_model", "alias": "example_alias", "version": "1"},
    "model_version_alias.deleted": {"name": "example_model", "alias": "example_alias"},
    "prompt.created": {"name": "example_prompt", **_TAGS, "description": "An example prompt"},
    "prompt_version.created": {
        "name": "example_prompt",
        "version": "1",
        "template": "Hello {{name}}!",
        **_TAGS,
        "description": "An example prompt version",
    },
    "prompt_tag.set": {"name": "example_prompt", **_TAG},
    "prompt_tag.deleted": {"name": "example_prompt", "key": "example_key"},
    "prompt_version_tag.set": {"name": "example_prompt", "version": "1", **_TAG},
    "prompt_version_tag.deleted": {"name": "example_prompt", "version": "1", "key": "example_key"},
    "prompt_alias.created": {"name": "example_prompt", "alias": "example_alias", "version": "1"},
    "prompt_alias.deleted": {"name": "example_prompt", "alias": "example_alias"},
    "budget_policy.exceeded": {
        "budget_policy_id": "bp-abc123",
        "budget_unit": "USD",
        "budget_amount": 100.0,
        "current_spend": 105.5,
        "duration_unit": "MONTHS",
        "duration_value": 1,
        "target_scope": "ENDPOINT",
        "workspace": "default",
        "target_value": "ep-abc123",
        "window_start": 1704067200000,
    },
}
"""What is sent when a webhook is tested: MLflow's own examples."""


def body_of(event: str, payload: str, happened: datetime) -> bytes:
    """The body of a call: what happened and when, around the payload (a JSON text)."""
    entity, _, action = event.partition(".")
    body = {
        "entity": entity,
        "action": action,
        "timestamp": happened.isoformat(),
        "data": json.loads(payload),
    }
    return json.dumps(body).encode()


def headers_of(delivery: str, body: bytes, secret: str | None, now: datetime) -> dict[str, str]:
    """The headers of a call; with a secret they hold the signature over id, time and body."""
    stamp = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", DELIVERY: delivery, TIMESTAMP: stamp}
    if secret:
        signed = b".".join((delivery.encode(), stamp.encode(), body))
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        headers[SIGNATURE] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
