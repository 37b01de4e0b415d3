"""Records over Redis streams."""
