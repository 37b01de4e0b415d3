"""Channels that carry alerts to people: a log file, and any receiver of Alertmanager's webhook."""
