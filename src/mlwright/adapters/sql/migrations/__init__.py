"""One file a revision, oldest first. A released revision never changes: add a new one."""
