"""The probes: one file each, found by :mod:`mlwright.engineer.catalogue`; a new one is a file and its fixture."""
