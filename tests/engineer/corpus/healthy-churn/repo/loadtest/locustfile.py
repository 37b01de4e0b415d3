"""Latency and throughput of the service, compared with the last release by scripts/compare_latency.py."""

from locust import HttpUser, task


class Caller(HttpUser):
    @task
    def predict(self):
        self.client.post("/predict", json={"tenure": 3, "monthly_charges": 20.0, "calls_to_support": 1, "tariff": "plus", "region": "north"})
