"""The database seam: SQLAlchemy Core on SQLite or PostgreSQL by URL, and the migrations of the one schema."""
