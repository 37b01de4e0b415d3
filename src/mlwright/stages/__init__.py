"""The stages of a model's life. No stage imports another: they meet in the platform."""
