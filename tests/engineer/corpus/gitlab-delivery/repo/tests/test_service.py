from fastapi.testclient import TestClient

from service import app


def test_a_weightless_parcel_is_refused():
    assert TestClient(app).post("/damage", json={"weight": 0, "stops": 1, "content": "glass"}).status_code == 422
