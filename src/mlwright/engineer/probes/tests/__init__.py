"""Probes of tests."""
