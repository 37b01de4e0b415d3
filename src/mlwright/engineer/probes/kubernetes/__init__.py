"""Probes of kubernetes."""
