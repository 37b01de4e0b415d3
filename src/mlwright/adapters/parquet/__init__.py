"""The embedded online store: one Parquet file a feature view, and an index of it in memory."""
