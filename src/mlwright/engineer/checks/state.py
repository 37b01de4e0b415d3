"""What is stored: the database, the audit chain, the artifacts, the prediction log."""

from collections.abc import Iterator

from sqlalchemy import MetaData, inspect

from mlwright.engineer.findings import fails, holds, no_question
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding
from mlwright.model.ids import Digest
from mlwright.platform.facade import Platform
from mlwright.stages.ledger import tables as ledger
from mlwright.stages.monitoring import tables as monitoring
from mlwright.stages.pipelines import tables as pipelines
from mlwright.stages.registry import evidence_tables as evidence
from mlwright.stages.registry import tables as registry
from mlwright.stages.rollouts import tables as rollouts
from mlwright.stages.serving import tables as serving
from mlwright.stages.tracking import artifact_tables as artifacts
from mlwright.stages.tracking import model_tables as models
from mlwright.stages.tracking import tables as tracking
from mlwright.stages.tracking import trace_tables as traces

# A stage has one MetaData, which knows the tables of those of its files that were imported.
_STAGES: tuple[MetaData, ...] = tuple(
    dict.fromkeys(
        each.metadata
        for each in (
            *(ledger, monitoring, pipelines, registry, evidence, rollouts, serving),
            *(tracking, models, artifacts, traces),
        )
    )
)


def schema(platform: Platform) -> Iterator[Finding]:
    """The database has every table and column that this version writes."""
    title = "the database has this version's schema"
    with platform.parts.read() as tx:
        revision = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
        look = inspect(tx)
        there = set(look.get_table_names())
        tables = [table for metadata in _STAGES for table in metadata.sorted_tables]
        missing = [table.name for table in tables if table.name not in there]
        for table in tables:
            if table.name in there:
                have = {each["name"] for each in look.get_columns(table.name)}
                missing += [str(column) for column in table.columns if column.name not in have]
    where = platform.parts.engine.url.set(query={}).render_as_string(hide_password=True)
    if missing:
        evidence = f"revision {revision}, but {', '.join(sorted(missing))} missing in {where}"
        yield fails(
            "database.schema", title, evidence, f"restore a copy from {platform.parts.settings.state}/backups"
        )
    else:
        yield holds("database.schema", title, f"revision {revision} of {where}")


def integrity(platform: Platform) -> Iterator[Finding]:
    """The pages of a SQLite file are sound. PostgreSQL looks after its own."""
    title = "the database file is sound"
    engine = platform.parts.engine
    if engine.dialect.name != "sqlite":
        yield no_question("database.integrity", title, f"{engine.dialect.name} checks its own pages")
        return
    with platform.parts.read() as tx:
        said = [str(row[0]) for row in tx.exec_driver_sql("PRAGMA integrity_check(5)")]
    if said == ["ok"]:
        yield holds("database.integrity", title, "PRAGMA integrity_check: ok")
    else:
        folder = platform.parts.settings.state / "backups"
        yield fails("database.integrity", title, "; ".join(said), f"restore a copy from {folder}")


def audit_chain(platform: Platform) -> Iterator[Finding]:
    """No audit row was changed, removed or slipped in."""
    title = "the audit chain is whole"
    broken = platform.records.broken_audit_row()
    if broken is None:
        yield holds("audit.chain", title, "every row fits the hash of the row before")
    else:
        evidence = f"row {broken} does not fit the chain"
        yield fails(
            "audit.chain", title, evidence, "mlwright audit --verify; find out who writes past mlwright"
        )


def artifact_store(platform: Platform) -> Iterator[Finding]:
    """The artifact store answers."""
    nothing = Digest("blake3:" + "0" * 64)
    platform.parts.artifacts.exists(nothing)
    yield holds("artifacts.reachable", "the artifact store answers", platform.parts.settings.artifacts)


def prediction_log(platform: Platform) -> Iterator[Finding]:
    """No journal of the prediction log held corrupt bytes."""
    title = "the prediction log is sound"
    folder = platform.parts.settings.state / "log" / "quarantine"
    damaged = sorted(path.name for path in folder.glob("*"))
    if damaged:
        evidence = f"{len(damaged)} journals held corrupt bytes: {', '.join(damaged[:5])}"
        remedy = f"look at the disk; what was sound is in the log, the files are kept in {folder}"
        yield fails("log.sound", title, evidence, remedy, Severity.WARNING)
    else:
        yield holds("log.sound", title, f"nothing in {folder}")
