"""Probes of what a system owes to those who use it, oversee it and are judged by it."""
