"""What was read, as frozen values: files, code, configuration and history of a repository, and what runs."""
