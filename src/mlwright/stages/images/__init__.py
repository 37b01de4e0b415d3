"""Images of one endpoint: their recipe, what they need, and how their contents are written down."""
