"""Pipelines: what users declare with ``@step`` and ``@pipeline``, and the engine that runs it."""
