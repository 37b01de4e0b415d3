"""Runs that Weights & Biases logged offline."""
