"""Measuring models in processes of their own: their memory, and how they serve under load."""
