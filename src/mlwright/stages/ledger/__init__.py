"""The book of what happened and why: audit chain, decisions, lineage, and the marks of the control loop."""
