"""From "quality fell" to a cause: a chain of tests over a reference and a current sample."""
