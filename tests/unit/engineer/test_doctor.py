"""One fault at a time: the doctor names it, says what to do, and still says the rest."""

import os
import platform as machine
import shutil
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sqlalchemy import text

from mlwright.engineer.checks import machine as machine_checks
from mlwright.engineer.doctor import CHECKS, examine
from mlwright.errors import MlwrightError
from mlwright.model.findings import Outcome
from mlwright.model.fitted import Fitted
from mlwright.model.ids import AlertId, EndpointName, ModelName
from mlwright.model.ledger import Edge, Node
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.model.registry import Field
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import outbox
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import store as tracking
from mlwright.wiring.project import open_platform

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def found(patient) -> dict:
    return {each.id: each for each in examine(patient)}


def wrong(patient) -> dict:
    return {id: each for id, each in found(patient).items() if each.outcome in (Outcome.FALSE, Outcome.ERROR)}


def register(platform):
    """A version that loads, as champion; returns it."""
    inputs = (Field(name="months", type="long", required=False),)
    x = np.arange(20.0).reshape(-1, 1)
    fitted = Fitted(model=LogisticRegression().fit(x, x[:, 0] > 9), inputs=inputs)
    digest, flavor = platform.parts.shelf.put(fitted, pl.DataFrame({"months": [1, 2]}))
    with platform.parts.write() as tx:
        version = registry.create_version(
            tx,
            ModelName("churn"),
            digest,
            run=None,
            at=NOW,
            signature=fitted.signature,
            flavor=flavor,
            tags={},
        )
        registry.set_alias(tx, ModelName("churn"), "champion", version.version)
    return version


def test_a_fresh_project_is_well_but_for_its_champion(platform) -> None:
    findings = found(platform)
    bad = wrong(platform)
    assert set(bad) == {"endpoint.churn.champion"}
    assert not any(each.alarming for each in findings.values())
    assert "mlwright deploy churn" in bad["endpoint.churn.champion"].remedy
    assert findings["endpoint.churn.route"].outcome is Outcome.NOT_APPLICABLE
    assert len(findings) == len(examine(platform)), "two findings have one id"
    assert all(each.evidence for each in findings.values())


def test_a_champion_that_loads_and_one_that_does_not(platform) -> None:
    version = register(platform)
    assert found(platform)["endpoint.churn.champion"].outcome is Outcome.TRUE
    shutil.rmtree(platform.parts.settings.artifacts)
    shutil.rmtree(platform.parts.settings.state / "cache", ignore_errors=True)
    bad = wrong(platform)
    assert bad["endpoint.churn.champion"].alarming
    assert version.digest.partition(":")[2][:8] in bad["endpoint.churn.champion"].evidence


@pytest.mark.parametrize(
    ("file", "old", "new", "id", "said"),
    [
        ("contracts/usage.odcs.yaml", "kind: DataContract", "knd: DataContract", "contract.usage", "knd"),
        ("contracts/usage.odcs.yaml", "mustBe: 0", "mustBe: [", "contract.usage", "YAML"),
        (
            "pipeline.py",
            "from datetime import date",
            "from datetime import dat",
            "pipelines",
            "pipeline.py:3",
        ),
        ("pipeline.py", "def train_churn", "def train_chrn", "retrain.churn", "did you mean 'train_chrn'?"),
        ("data.py", "def usage()", "def usages()", "source.usage", "did you mean 'usages'?"),
        ("data.py", "import polars", "import polarss", "source.usage", "polarss"),
        ("mlwright.toml", '"data.py:usage"', '"usage/*.csv"', "source.usage", "usage/*.csv"),
        ("mlwright.toml", '"data.py:usage"', '"usage.parquet"', "source.usage", "usage.parquet"),
    ],
)
def test_a_fault_in_the_projects_files(folder, file, old, new, id, said) -> None:
    path = folder / file
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    platform = open_platform(folder)
    bad = wrong(platform)
    platform.parts.engine.dispose()
    assert bad[id].outcome is Outcome.FALSE
    assert bad[id].alarming
    assert said in bad[id].evidence
    others = set(bad) - {id, "endpoint.churn.champion"}
    assert others <= {"source.renewals", "retrain.churn"}, "one fault, seen elsewhere too"


def test_a_project_that_does_not_open(folder) -> None:
    file = folder / "mlwright.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n[projct]\n", encoding="utf-8")
    with pytest.raises(MlwrightError) as refusal:
        open_platform(folder)
    findings = found(refusal.value)
    assert findings["project.opens"].alarming
    assert "did you mean 'project'?" in findings["project.opens"].evidence
    assert findings["python"].outcome is Outcome.TRUE
    rest = [each.outcome for id, each in findings.items() if id not in ("project.opens", "python")]
    assert rest == [Outcome.NOT_AVAILABLE] * len(CHECKS)


def test_a_changed_audit_row(platform) -> None:
    with platform.parts.write() as tx:
        for number in range(3):
            ledger.append_audit(tx, NOW, "ada", "deploy", f"endpoint:{number}", {})
    assert "audit.chain" not in wrong(platform)
    with platform.parts.write() as tx:
        tx.execute(text("UPDATE ledger_audit SET actor = 'eve' WHERE number = 2"))
    assert "row 2" in wrong(platform)["audit.chain"].evidence


def test_a_column_that_is_gone(platform) -> None:
    with platform.parts.write() as tx:
        tx.execute(text("ALTER TABLE tracking_runs DROP COLUMN error"))
        tx.execute(text("DROP TABLE serving_routes"))
    bad = wrong(platform)
    assert "serving_routes, tracking_runs.error missing" in bad["database.schema"].evidence
    # What now fails for that reason is a finding too, and the checks after it still speak.
    assert bad["endpoints"].outcome is Outcome.ERROR
    assert "serving_routes" in bad["endpoints"].evidence
    assert "runs.interrupted" in found(platform)


def test_a_damaged_database_file(platform) -> None:
    with platform.parts.write() as tx:
        edges = [
            Edge(effect=Node(kind="run", id=str(n)), relation="read", cause=Node(kind="dataset", id=str(n)))
            for n in range(2000)
        ]
        ledger.add_edges(tx, edges)
    with platform.parts.engine.connect() as raw:
        raw.exec_driver_sql("COMMIT")
        raw.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        size = raw.exec_driver_sql("PRAGMA page_size").scalar_one()
    platform.parts.engine.dispose()
    file = platform.parts.settings.state / "mlwright.db"
    with file.open("r+b") as content:
        content.seek(-20 * size, os.SEEK_END)
        content.write(b"\xff" * 5 * size)
    bad = wrong(platform)["database.integrity"]
    assert bad.alarming


def test_an_interrupted_run(platform) -> None:
    with platform.parts.write() as tx:
        run = tracking.create_run(tx, experiment="churn", name="train", at=NOW, actor="ada").id
        tx.execute(text("UPDATE tracking_runs SET pid = 4194305"))  # above the largest pid of Linux
    bad = wrong(platform)["runs.interrupted"]
    assert run in bad.evidence
    assert not bad.alarming
    assert bad.remedy == "mlwright runs --recover"
    with platform.parts.write() as tx:
        tx.execute(text("UPDATE tracking_runs SET host = 'elsewhere'"))
    assert "runs.interrupted" not in wrong(platform), "another machine's processes cannot be asked"
    assert machine.node() != "elsewhere"


def test_a_message_that_has_not_left(platform) -> None:
    alert = Alert(
        id=AlertId("a1"),
        rule="auc-decayed",
        endpoint=EndpointName("churn"),
        level=AlertLevel.TICKET,
        state=AlertState.FIRING,
        fired=NOW,
        summary="decayed",
    )
    with platform.parts.write() as tx:
        saved = monitoring.save_alert(tx, alert).alert
        outbox.enqueue(tx, saved, "webhook", NOW)
        tx.execute(text("UPDATE monitoring_deliveries SET last_error = 'refused', attempts = 1"))
    bad = wrong(platform)["alerts.sent"]
    assert bad.evidence == "1 waiting; webhook said: refused"
    assert not bad.alarming


def test_a_damaged_journal_is_told_of(platform) -> None:
    quarantine = platform.parts.settings.state / "log" / "quarantine"
    quarantine.mkdir(parents=True)
    (quarantine / "predictions-1-2-3.mlj").write_bytes(b"x")
    assert "predictions-1-2-3.mlj" in wrong(platform)["log.sound"].evidence


def test_a_state_folder_that_is_gone(platform, monkeypatch) -> None:
    monkeypatch.setattr(machine_checks, "LEAST_FREE_BYTES", 1 << 60)
    bad = wrong(platform)
    assert bad["state.room"].severity == "warning"
    shutil.rmtree(platform.parts.settings.state)
    assert {"state.writable"} <= set(wrong(platform))


def test_a_port_that_another_program_holds(platform, free_ports) -> None:
    page, inference = free_ports
    server = HTTPServer(("127.0.0.1", page), _says(b"hello"))
    ours = HTTPServer(("127.0.0.1", inference), _says(b'{"name":"mlwright"}'))
    threads = [threading.Thread(target=each.serve_forever) for each in (server, ours)]
    for thread in threads:
        thread.start()
    findings = found(platform)
    for each, thread in zip((server, ours), threads, strict=True):
        each.shutdown()
        thread.join()
        each.server_close()
    assert findings["serve.port"].alarming
    assert str(page) in findings["serve.port"].evidence
    assert findings["serve.inference_port"].outcome is Outcome.TRUE
    assert "mlwright answers" in findings["serve.inference_port"].evidence


def test_the_doctor_changes_nothing(platform) -> None:
    def rows() -> dict:
        with platform.parts.read() as tx:
            names = [
                row[0] for row in tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
            ]
            return {name: tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}

    before = rows()
    examine(platform)
    assert rows() == before


def _says(answer: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
