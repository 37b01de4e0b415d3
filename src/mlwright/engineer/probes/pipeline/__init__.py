"""Probes of pipeline."""
