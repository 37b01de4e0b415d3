"""Experiments, runs, models and artifacts for every client: light enough to start at once."""
