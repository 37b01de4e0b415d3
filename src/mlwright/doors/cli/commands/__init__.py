"""One module a subject; the table in :mod:`mlwright.doors.cli.main` says which command stands where."""
