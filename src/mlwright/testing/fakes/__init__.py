"""Small engines in memory, one a port, simple enough to be seen to be right."""
