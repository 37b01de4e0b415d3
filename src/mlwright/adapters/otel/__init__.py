"""Traces of inference processes, by OpenTelemetry."""
