from fastapi.testclient import TestClient

from main import app


def test_a_trip_of_no_length_is_refused():
    asked = {"distance_km": 0, "begun_at": "2026-10-04T08:00:00"}
    assert TestClient(app).post("/arrival", json=asked).status_code == 422
