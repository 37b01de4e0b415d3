"""The repositories below hold tests of their own, which are read here and never run."""

collect_ignore_glob = ["*/repo/*"]
