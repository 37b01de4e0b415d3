import os

os.environ["SENTIMENT_API_KEY"] = "only-for-tests"

from fastapi.testclient import TestClient

from service.main import app

client = TestClient(app)


def test_a_wrong_key_is_refused():
    assert client.post("/v1/sentiment", json={"text": "fine"}, headers={"x-api-key": "wrong"}).status_code == 401


def test_alive():
    assert client.get("/healthz").json() == {"alive": True}
