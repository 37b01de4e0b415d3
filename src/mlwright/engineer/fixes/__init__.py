"""Mechanical fixes: each gives new file contents as a value; nothing is written before somebody agreed."""
