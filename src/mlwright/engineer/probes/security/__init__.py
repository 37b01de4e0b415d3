"""Probes of security."""
