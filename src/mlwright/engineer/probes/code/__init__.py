"""Probes of code."""
