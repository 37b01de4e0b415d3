"""The table of checkpoints: what a step returned, under the digest of its code and arguments."""

from sqlalchemy import BigInteger, Column, MetaData, String, Table

metadata = MetaData()

checkpoints = Table(
    "pipelines_checkpoints",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("step", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("run", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
