"""Translate a wire to values and back, nothing else."""
