"""Rubrics as data: which findings speak for which item, on which rung of the evidence ladder."""
