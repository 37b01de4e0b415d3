"""Experiments of DVC and DVCLive."""
