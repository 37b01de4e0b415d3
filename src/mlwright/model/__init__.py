"""Frozen values and pure functions. Nothing here reads, writes or imports above this floor."""
