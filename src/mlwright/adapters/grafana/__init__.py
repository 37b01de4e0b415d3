"""Dashboards for Grafana, for three audiences."""
