"""Tables of artifacts by path: which content lies at which path, and uploads that arrive in parts.

A path is the primary key, so that listing a folder is a range of the index. PostgreSQL keeps at most 2,700 bytes in an
index entry, and a character may be four bytes; see ``PATH_BYTES``.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table

from mlwright.stages.tracking.tables import metadata

PATH_BYTES: Final = 2_000
"""Bytes of a path in UTF-8, at most: it is an index entry."""

# Compared by code points in both databases: with a language's collation, "a/b" and "a-b" would lie anywhere.
Path = String().with_variant(String(collation="C"), "postgresql")

files = Table(
    "tracking_artifacts",
    metadata,
    Column("path", Path, primary_key=True),
    Column("digest", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Index("ix_tracking_artifacts_digest", "digest"),
    sqlite_with_rowid=False,
)

uploads = Table(
    "tracking_uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("path", Path, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    # Kept for a while after the end: a client that did not hear the answer asks again.
    Column("completed_at", BigInteger),
)

upload_parts = Table(
    "tracking_upload_parts",
    metadata,
    Column("upload", String, ForeignKey("tracking_uploads.id"), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("size", BigInteger, nullable=False),
)
