"""The small models that drift and diagnosis fit."""
