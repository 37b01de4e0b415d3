"""Probes of dependencies."""
