"""A diagnosis for people: one HTML file, Markdown, or the terminal."""
