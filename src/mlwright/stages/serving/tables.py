"""What stands behind each endpoint, generation by generation."""

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table

metadata = MetaData()

routes = Table(
    "serving_routes",
    metadata,
    Column("endpoint", String(200), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
    Column("variants", JSON, nullable=False),
    Column("at", BigInteger, nullable=False),
)
