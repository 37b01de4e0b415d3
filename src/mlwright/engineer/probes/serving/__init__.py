"""Probes of serving."""
