"""Probes about models: how they are trained, judged, kept and described."""
