"""Whether a database is up to date, asked without Alembic, and where storage is, asked without pydantic."""

from datetime import UTC, datetime

import pytest

from mlwright.adapters.config import load_settings
from mlwright.adapters.config.light import load_storage
from mlwright.adapters.config.storage import StorageSettings, default_storage
from mlwright.adapters.sql.current import is_current
from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import SHIPPED, migrate, newest_revision
from mlwright.errors import SettingsError


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(f"sqlite:///{tmp_path / 'db'}")
    yield opened
    opened.dispose()


def test_it_agrees_with_alembic(engine, tmp_path) -> None:
    assert not is_current(engine)
    report = migrate(engine, backups=tmp_path, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert report.after == newest_revision() == max(each.name[1:5] for each in SHIPPED.glob("v*_*.py"))
    assert is_current(engine)


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_an_older_and_a_newer_one_are_not_current(engine, tmp_path, revision) -> None:
    migrate(engine, backups=tmp_path, at=datetime(2026, 1, 1, tzinfo=UTC))
    with engine.begin() as tx:
        tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert not is_current(engine)


@pytest.mark.parametrize(
    "table",
    [
        "",
        '[storage]\nstate = "kept"',
        '[storage]\ndatabase = "sqlite:///a/b.db"\nartifacts = "blobs"',
        '[storage]\ndatabase = "postgres://me:secret@db/x"\nartifacts = "s3://bucket/x"',
        '[storage]\ndatabase = "env:WHERE"',
    ],
)
def test_both_ways_to_read_the_settings_agree(tmp_path, table) -> None:
    file = tmp_path / "mlwright.toml"
    file.write_text(f'[project]\nname = "a"\n{table}\n')
    environment = {"WHERE": "sqlite:///c.db"}
    whole = load_settings(file, environment)
    expected = StorageSettings(state=whole.state, database=whole.database, artifacts=whole.artifacts)
    assert load_storage(file, environment) == expected


def test_a_project_without_storage_is_where_a_folder_without_a_project_is(tmp_path) -> None:
    file = tmp_path / "mlwright.toml"
    file.write_text('[project]\nname = "a"\n')
    assert load_storage(file) == default_storage(tmp_path / ".mlwright")


@pytest.mark.parametrize(
    "table", ["storage = 1", "[storage]\nstat = 'x'", "[storage]\ndatabase = 5", "[storage]\ndatabase = 'x'"]
)
def test_faults_of_storage_are_told_as_always(tmp_path, table) -> None:
    file = tmp_path / "mlwright.toml"
    file.write_text(f'{table}\n[project]\nname = "a"\n')
    with pytest.raises(SettingsError) as light:
        load_storage(file, {})
    with pytest.raises(SettingsError) as whole:
        load_settings(file, {})
    assert light.value.faults == whole.value.faults
