"""Environments made by uv: https://docs.astral.sh/uv/."""
