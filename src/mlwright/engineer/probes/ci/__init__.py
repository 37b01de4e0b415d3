"""Probes of ci."""
