"""Runs that neptune-exporter wrote as Parquet."""
