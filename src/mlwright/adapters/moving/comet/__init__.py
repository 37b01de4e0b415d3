"""Experiments that Comet logged offline."""
