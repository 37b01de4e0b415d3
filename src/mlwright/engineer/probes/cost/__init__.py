"""Probes of cost."""
