"""Traces of inference processes, and metrics of monitoring and serving, by OpenTelemetry."""
