"""Probes of cloud resources as code."""
