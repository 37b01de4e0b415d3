"""Logs of TensorBoard."""
