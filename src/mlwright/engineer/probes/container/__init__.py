"""Probes of container."""
