"""Probes of what runs: a project of ours, or a tracking server of others, at the instant it was seen."""
