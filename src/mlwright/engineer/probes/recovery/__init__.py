"""Probes of recovery."""
