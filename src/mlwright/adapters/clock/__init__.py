"""Clocks: the machine's, and one that a replay moves."""
