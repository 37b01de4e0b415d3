"""Contracts: read a data source, measure it against its contract, and say which columns a model may use."""
