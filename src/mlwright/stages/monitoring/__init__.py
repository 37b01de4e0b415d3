"""Monitoring: joins labels to predictions, measures quality and drift per window, and decides on alerts."""
