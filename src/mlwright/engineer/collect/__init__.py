"""Readers of a repository: each turns files into facts and runs nothing that it reads."""
