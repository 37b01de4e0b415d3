"""The built-in engineer: looks at a project and says what it found, on which evidence, and what to do."""
