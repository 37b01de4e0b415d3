"""Channels that carry alerts to people: a log file, Alertmanager and all who take its webhook, chat, pagers, e-mail."""
