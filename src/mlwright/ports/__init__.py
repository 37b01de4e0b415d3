"""Needs that different engines fill. One Protocol a file, at most seven methods, no implementation."""
