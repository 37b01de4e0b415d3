"""Serving: routes, the endpoint core, and the log of predictions and labels."""
