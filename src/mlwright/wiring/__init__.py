"""The one place that knows which engine fills which port: a project's platform, and the engineer."""
