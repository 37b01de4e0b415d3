"""Probes of monitoring."""
