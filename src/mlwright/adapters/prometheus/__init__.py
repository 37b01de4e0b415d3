"""Rules for Prometheus, made from a project's settings."""
