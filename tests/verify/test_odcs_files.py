"""The contracts that we ship are ODCS for everyone: by the standard's own schema and the datacontract CLI."""

import json
from datetime import date, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted([*ROOT.glob("examples/**/*.odcs.yaml"), *ROOT.glob("src/**/*.odcs.yaml")])
SCHEMAS = ROOT.parent / "shared" / "schemas" / "odcs"


def as_json(value: object) -> object:
    """What a YAML reader made a date is a string in the standard's schema."""
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_contracts_are_found() -> None:
    assert len(CONTRACTS) >= 2


@pytest.mark.parametrize("contract", CONTRACTS, ids=name_of)
def test_official_schema_accepts(contract: Path) -> None:
    files = sorted(SCHEMAS.glob("odcs-json-schema-*.json"))
    if not files:
        pytest.skip(f"the published ODCS schema is not at {SCHEMAS}")
    schema = json.loads(files[-1].read_text(encoding="utf-8"))
    checker = jsonschema.validators.validator_for(schema)(schema)
    document = as_json(yaml.safe_load(contract.read_text(encoding="utf-8")))
    faults = [f"{'.'.join(map(str, each.path))}: {each.message}" for each in checker.iter_errors(document)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("contract", CONTRACTS, ids=name_of)
def test_datacontract_cli_accepts(contract: Path, environment, ask) -> None:
    python = environment("datacontract", "datacontract-cli==1.2.8")
    said = ask(python.with_name("datacontract"), "lint", contract)
    assert "valid" in said
    assert "invalid" not in said


def test_datacontract_cli_refuses_a_broken_one(environment, ask, tmp_path) -> None:
    """The judge is awake: the same contract without its version is refused."""
    document = yaml.safe_load(CONTRACTS[0].read_text(encoding="utf-8"))
    del document["version"]
    broken = tmp_path / "broken.odcs.yaml"
    broken.write_text(yaml.safe_dump(as_json(document)), encoding="utf-8")
    python = environment("datacontract", "datacontract-cli==1.2.8")
    with pytest.raises(AssertionError, match="version"):
        ask(python.with_name("datacontract"), "lint", broken)
