"""Reading what other tracking tools left behind as files: one folder a tool, and what they all need beside them."""
