"""Scoring files and streams: the same contract, models and answers as online, without a server."""
