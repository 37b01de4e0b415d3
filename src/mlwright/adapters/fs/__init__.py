"""Artifacts in any file system that fsspec reaches."""
