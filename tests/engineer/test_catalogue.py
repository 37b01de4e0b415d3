"""The catalogue finds every probe file, takes those of other packages, and refuses what cannot be one."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import mlwright
from mlwright.engineer.catalogue import GROUP, all_probes, own_probes
from mlwright.engineer.probe import Lifecycle, Probe, When, yes
from mlwright.errors import UsageError

OFFERED = Probe(
    id="acme.blessed",
    title="the model is blessed",
    why="An unblessed model is sad.",
    remedy="bless it",
    when=When.ALWAYS,
    look=lambda repository: yes("blessed"),
)
PAIR = [OFFERED]
WRONG = "not a probe"


def point(attribute: str) -> EntryPoint:
    return EntryPoint(name="acme", value=f"{__name__}:{attribute}", group=GROUP)


def test_there_are_enough_probes_and_each_says_what_it_should() -> None:
    probes = own_probes()
    assert len([probe for probe in probes if probe.lifecycle is Lifecycle.STABLE]) >= 90
    for probe in probes:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", probe.id), probe.id
        assert probe.title[0].islower() or probe.title.split()[0].isupper() or probe.title[0].isupper()
        assert not probe.title.endswith((".", "?")), probe.id
        assert probe.why.endswith("."), probe.id
        assert 20 <= len(probe.why) <= 240, probe.id
        assert probe.remedy, probe.id


def test_what_a_probe_comes_after_exists_and_ends() -> None:
    probes = {probe.id: probe for probe in own_probes()}
    for probe in probes.values():
        seen = {probe.id}
        while probe.after is not None:
            assert probe.after in probes, f"{probe.id} comes after {probe.after}, which does not exist"
            probe = probes[probe.after]
            assert probe.id not in seen, f"{probe.id} comes after itself"
            seen.add(probe.id)


def test_a_probe_stands_where_its_id_says() -> None:
    for probe in own_probes():
        folder, name = probe.id.split(".")
        assert probe.look.__module__ == f"mlwright.engineer.probes.{folder}.{name}", probe.id


def test_other_packages_bring_probes(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())
    assert OFFERED in all_probes([point("OFFERED")])
    assert OFFERED in all_probes([point("PAIR")])


def test_what_is_no_probe_is_refused_by_name(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())
    with pytest.raises(UsageError, match="must be a Probe") as refused:
        all_probes([point("WRONG")])
    assert "acme" in str(refused.value.where)
    with pytest.raises(UsageError, match="cannot be loaded"):
        all_probes([point("MISSING")])
    with pytest.raises(UsageError, match="two probes are called"):
        all_probes([point("OFFERED"), point("PAIR")])


def _this():
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(OFFERED=OFFERED, PAIR=PAIR, WRONG=WRONG)
    return module


def test_an_installed_package_brings_its_probe(tmp_path: Path) -> None:
    """As after pip install: metadata with an entry point, and a module."""
    info = tmp_path / "acme_probes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-probes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlwright.probes]\nacme = acme_probes:PROBE\n")
    (tmp_path / "acme_probes.py").write_text(
        "from mlwright.engineer.probe import Probe, When, no\n"
        "PROBE = Probe(id='acme.blessed', title='it is blessed', why='It is sad otherwise.', remedy='bless it',\n"
        "              when=When.ALWAYS, look=lambda repository: no('nobody blessed it'))\n"
    )
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mlwright",
            "assess",
            str(tmp_path / "empty"),
            "--only",
            "acme.blessed",
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=50,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(mlwright.__file__).parents[1])]),
        },
    )
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["id"], finding["evidence"]) == ("acme.blessed", "nobody blessed it"), done.stderr
