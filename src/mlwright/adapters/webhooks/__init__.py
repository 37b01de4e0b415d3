"""Webhooks over HTTP, guarded against being sent where a client must not reach."""
