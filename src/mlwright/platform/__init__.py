"""The façade: composes stages into journeys (check, train, release, roll out, watch, retrain)."""
