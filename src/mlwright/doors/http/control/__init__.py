"""The control door: the project's journeys as JSON over HTTP, and the pages."""
