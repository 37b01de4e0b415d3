"""Checks of the doctor, one function each. A check takes an open platform and gives findings."""
