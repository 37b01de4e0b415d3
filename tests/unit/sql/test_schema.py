"""The migrations and the stages' tables cannot drift apart."""

import importlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, inspect

import mlwright.stages
from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate

STAGES = sorted(path.parent.name for path in Path(mlwright.stages.__path__[0]).glob("*/tables.py"))
AT = datetime(2013, 4, 1, tzinfo=UTC)


def tables_of(stage):
    """A stage may have its tables in several files, all of them in one MetaData."""
    folder = Path(mlwright.stages.__path__[0]) / stage
    for path in folder.glob("*tables.py"):
        importlib.import_module(f"mlwright.stages.{stage}.{path.stem}")
    return importlib.import_module(f"mlwright.stages.{stage}.tables").metadata.tables.values()


def union():
    whole = MetaData()
    for stage in STAGES:
        for table in tables_of(stage):
            assert table.name not in whole.tables, f"{table.name} is there twice"
            table.to_metadata(whole)
    return whole


def described(engine):
    """All that matters of the schema, comparable; compare_metadata leaves out keys."""
    look = inspect(engine)
    return {
        table: {
            "columns": [
                (each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(table)
            ],
            "key": look.get_pk_constraint(table)["constrained_columns"],
            "references": sorted(
                (each["constrained_columns"], each["referred_table"], each["referred_columns"])
                for each in look.get_foreign_keys(table)
            ),
            "unique": sorted(
                (each["name"], each["column_names"]) for each in look.get_unique_constraints(table)
            ),
            "indexes": sorted(
                (
                    each["name"],
                    each["column_names"],
                    each["unique"],
                    {option: str(value) for option, value in each["dialect_options"].items()},
                )
                for each in look.get_indexes(table)
            ),
        }
        for table in look.get_table_names()
        if table != "alembic_version"
    }


def made(engine):
    """Every index as it was made, and of every table what reading it back does not tell."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL"
    with engine.connect() as connection:
        found = connection.exec_driver_sql(query).all()
    return {
        name: sql.replace('"', "")
        if kind == "index"
        else [word for word in ("WITHOUT ROWID", "AUTOINCREMENT") if word in sql]
        for kind, name, sql in found
        if name != "alembic_version"
    }


@pytest.fixture
def migrated(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    migrate(engine, backups=tmp_path, at=AT)
    yield engine
    engine.dispose()


def test_every_stage_that_stores_is_found():
    assert set(STAGES) >= {"ledger", "monitoring", "pipelines", "registry", "rollouts", "serving", "tracking"}


# SQLite's indexes of expressions cannot be read back; their texts are compared instead.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrations_lead_to_the_tables_of_the_stages(migrated, tmp_path):
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, union()) == []
    created = open_engine(f"sqlite:///{tmp_path / 'created.db'}")
    union().create_all(created)
    assert described(migrated) == described(created)
    assert made(migrated) == made(created)
    created.dispose()


@pytest.mark.parametrize("stage", STAGES)
def test_names_are_prefixed_by_stage_and_instants_are_whole_numbers(stage):
    tables = tables_of(stage)
    assert all(table.name.startswith(f"{stage}_") for table in tables)
    instants = [column for table in tables for column in table.columns if column.name.endswith("_at")]
    assert {type(column.type).__name__ for column in instants} <= {"BigInteger"}
