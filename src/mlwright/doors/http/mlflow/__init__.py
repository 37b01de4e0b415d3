"""The door for clients of the MLflow protocol."""
