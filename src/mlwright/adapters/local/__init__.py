"""Running steps in this process."""
