"""Words that several probes share: names of packages, patterns of columns, ways to read facts."""
