"""Probes of release."""
