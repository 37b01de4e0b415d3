"""Questions about data: contracts, splits, leaks, features, privacy, where it came from."""
