"""Signing models with the OpenSSF's library."""
