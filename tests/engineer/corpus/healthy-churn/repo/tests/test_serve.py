from fastapi.testclient import TestClient

from churn.serve import app


def test_a_wrong_row_is_refused():
    with TestClient(app) as client:
        assert client.post("/predict", json={"tenure": -1}).status_code == 422
