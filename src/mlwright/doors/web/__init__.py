"""Pages: server-rendered, without a build step, the same values as the JSON interface."""
