"""What ran, on which data and environment, and what it measured."""
