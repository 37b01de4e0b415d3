"""The command line: parse, one call to the platform, show."""
