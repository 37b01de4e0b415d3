"""Probes of notebook."""
