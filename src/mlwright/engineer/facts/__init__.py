"""What was read, as frozen values: a repository's files, code, configuration and history, a project's or server's runs."""
