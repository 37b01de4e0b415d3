import gzip
import io
import os
import pickle
import pickletools
import subprocess
import sys
import zipfile
import zlib
from functools import cache, partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mlwright.adapters.scanners.joblib_arrays import without_arrays
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.model.contracts import Severity
from mlwright.model.scans import Scan

MAGIC = 0x1950A86A20F9469CFC6C  # of torch's format before 1.6


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


def scanned(tmp_path: Path, name: str, data: bytes) -> Scan:
    (tmp_path / name).write_bytes(data)
    return PicklescanScanner().scan(tmp_path, [name])


def rules(scan: Scan) -> list[tuple[str, Severity]]:
    return [(hit.rule, hit.severity) for hit in scan.hits]


def dumped(thing: object, **options: object) -> bytes:
    file = io.BytesIO()
    joblib.dump(thing, file, **options)
    return file.getvalue()


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


@cache
def models() -> dict[str, object]:
    table = np.random.default_rng(1).normal(size=(60, 3))
    labels = (table[:, 0] > 0).astype(int)
    words = np.array([["a"], ["b"], ["c"]] * 20, dtype=object)
    return {
        "forest": RandomForestClassifier(5, random_state=1).fit(table, labels),
        "linear": make_pipeline(StandardScaler(), LogisticRegression()).fit(table, labels),
        "onehot": OneHotEncoder(handle_unknown="ignore").fit(words),
        "text": TfidfVectorizer().fit(["one two", "three"]),
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", ["forest", "linear", "onehot", "text"])
def test_an_ordinary_model_gives_information_only(tmp_path: Path, name: str, protocol: int) -> None:
    model = models()[name]
    written = {
        "a.pkl": pickle.dumps(model, protocol=protocol),
        "b.joblib": dumped(model, protocol=protocol),
        "c.joblib": dumped(model, compress=3, protocol=protocol),
        "d.pkl.gz": dumped(model, compress=("gzip", 3), protocol=protocol),
        "e.joblib": dumped(model, compress=("xz", 3), protocol=protocol),
        "f.sav": dumped(model, compress=("bz2", 3), protocol=protocol),
    }
    for file, data in written.items():
        scan = scanned(tmp_path, file, data)
        assert (file, rules(scan)) == (file, [("unlisted-import", Severity.INFO)])
        assert scan.looked_at == 1


EVIL = {
    "a.pkl": lambda: pickle.dumps(Evil()),
    "old.pkl": lambda: pickle.dumps(Evil(), protocol=0),
    "old.bin": lambda: pickle.dumps(Evil(), protocol=0),
    "second.pkl": lambda: pickle.dumps({"a": 1}) + pickle.dumps(Evil()),
    "after-an-array.joblib": lambda: dumped([np.ones(1_000), Evil()]),
    "in-an-array.joblib": lambda: dumped({"a": np.array([1, Evil()], dtype=object), "b": np.ones(3)}),
    "packed.joblib": lambda: dumped([np.ones(1_000), Evil()], compress=3),
    "packed.pkl.gz": lambda: gzip.compress(pickle.dumps(Evil())),
    "objects.npy": lambda: _npy(np.array([Evil()], dtype=object)),
    "objects.npz": lambda: zipped({"x.npy": _npy(np.array([Evil()], dtype=object))}),
    "new.pt": lambda: zipped({"archive/data.pkl": pickle.dumps(Evil()), "archive/data/0": b"\1" * 99}),
    "hidden-name.pt": lambda: zipped({"archive/data.txt": pickle.dumps(Evil())}),
    "legacy.pth": lambda: _legacy(Evil()),
    "appended.pkl": lambda: pickle.dumps(Evil()) + zipped({"a.txt": b"nothing"}),
}


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _legacy(thing: object) -> bytes:
    parts = (MAGIC, 1001, {"little_endian": True}, thing, ["0"])
    return b"".join(pickle.dumps(each, protocol=2) for each in parts) + b"\xff" * 1_000


@pytest.mark.parametrize("name", sorted(EVIL))
def test_what_runs_a_program_is_found_wherever_it_hides(tmp_path: Path, name: str) -> None:
    scan = scanned(tmp_path, name, EVIL[name]())
    assert ("dangerous-import", Severity.ERROR) in rules(scan)
    assert any("posix.system" in hit.message or "nt.system" in hit.message for hit in scan.hits)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.dat", b"country\ncity\n1 2 3\n" * 50),
        ("a.bin", bytes(range(256)) * 100),
        ("a.pkl", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        ("a.npy", _npy(np.ones((3, 3)))),
        ("a.pt", zipped({"archive/data/0": b"\1" * 1_000, "archive/version": b"3"})),
        ("a.p", b"cos\n"),
    ],
)
def test_what_is_no_pickle_is_not_counted(tmp_path: Path, name: str, data: bytes) -> None:
    scan = scanned(tmp_path, name, data)
    assert (scan.looked_at, scan.hits) == (0, ())


def test_a_pickle_of_plain_values_is_clean(tmp_path: Path) -> None:
    scan = scanned(tmp_path, "a.pkl", pickle.dumps({"a": [1, 2.0, "three"], "b": np.ones(3)}))
    assert (scan.looked_at, scan.hits) == (1, ())


@pytest.mark.parametrize(
    "thing", [partial(int, base=2), FunctionTransformer(str.lower)], ids=["partial", "method"]
)
def test_honest_code_is_a_warning(tmp_path: Path, thing: object) -> None:
    assert ("code-import", Severity.WARNING) in rules(scanned(tmp_path, "a.pkl", pickle.dumps(thing)))


def test_getattr_with_a_key_to_everything_is_an_error(tmp_path: Path) -> None:
    data = b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR."
    assert ("dangerous-import", Severity.ERROR) in rules(scanned(tmp_path, "a.pkl", data))


def test_hostile_names_are_quoted(tmp_path: Path) -> None:
    name = b"\x1b[31m" + b"x" * 5_000
    data = b"\x80\x02cos\n" + name + b"\n."
    [hit] = scanned(tmp_path, "a.pkl", data).hits
    assert hit.message.isprintable()
    assert len(hit.message) < 200


BOMBS = {
    "zip.pt": zipped({"archive/data.pkl": b"\x80\x04" + b"N0" * 5_000_000 + b"N."}, zipfile.ZIP_DEFLATED),
    "zlib.joblib": zlib.compress(b"\x80\x04" + b"N0" * 20_000_000 + b"N."),
    "ops.pkl": b"\x80\x04" + b"N0" * 2_000_000 + b"N.",
    "truncated.pkl": b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x",
    "nested.pt": zipped({"a.pkl": zipped({"a.pkl": zipped({"a.pkl": zipped({"a.pkl": b"N."})})})}),
    "members.npz": zipped({f"{number}.npy": b"" for number in range(10_001)}),
    "locked.pt": zipped({"a.pkl": pickle.dumps(1)})[:-10],
}


def test_what_stands_before_endless_opcodes_is_seen(tmp_path: Path) -> None:
    data = pickle.dumps(Evil())[:-1] + b"0N" * 700_000 + b"."
    scan = scanned(tmp_path, "a.pkl", data)
    assert rules(scan) == [("dangerous-import", Severity.ERROR), ("not-looked-at", Severity.INFO)]


def test_bombs_are_named_and_take_little_time_and_memory(tmp_path: Path) -> None:
    for name, data in BOMBS.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from mlwright.adapters.scanners.picklescan import PicklescanScanner\n"
        "scan = PicklescanScanner().scan(Path(sys.argv[1]), sys.argv[2:])\n"
        "print(*(f'{hit.location.path}={hit.rule}' for hit in scan.hits))\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        # Not ru_maxrss: a child has that of whoever started it as well, here a worker with many tests behind it.
        "most = next(line for line in open('/proc/self/status') if line.startswith('VmHWM:'))\n"
        "print(int(most.split()[1]) // 1024, used.ru_utime)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *BOMBS], capture_output=True, text=True, timeout=60
    )
    named, used = done.stdout.splitlines()
    assert named.split() == [f"{name}=not-looked-at" for name in sorted(BOMBS)]
    megabytes, seconds = used.split()
    assert int(megabytes) < 1200  # unpacked the bombs are gigabytes
    assert float(seconds) < 40


arrays = st.one_of(
    st.builds(
        lambda n, k: np.arange(n).astype(k), st.integers(0, 50), st.sampled_from(["f8", "i1", "<u4", "c16"])
    ),
    st.builds(lambda n: np.array([f"w{i}" for i in range(n)]), st.integers(1, 9)),
    st.builds(lambda n: np.zeros((n, 2), dtype=[("a", "f8"), ("b", "U3")]), st.integers(0, 5)),
    st.builds(lambda n: np.array([None, "x"] * n, dtype=object), st.integers(1, 5)),
    st.just(np.array(3.5)),
    st.builds(lambda n: np.asfortranarray(np.ones((n, 3))), st.integers(1, 5)),
    st.builds(lambda n: np.arange(n).astype("M8[s]"), st.integers(1, 5)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(arrays, st.integers(), st.text(max_size=5)), min_size=1, max_size=6),
    st.sampled_from([2, 3, 4, 5]),
)
def test_joblib_arrays_are_left_out_exactly(things: list[object], protocol: int) -> None:
    """What remains is one whole pickle (and those of object arrays), and all of the file was read."""
    data = dumped([*things, "the end"], protocol=protocol)
    stream = io.BytesIO(data)
    pickles = without_arrays(stream)
    assert pickles is not None
    assert stream.tell() == len(data)
    assert len(pickles) == 1 + sum(isinstance(each, np.ndarray) and each.dtype.hasobject for each in things)
    for each in pickles:
        assert list(pickletools.genops(each))[-1][0].name == "STOP"
    assert any(argument == "the end" for _, argument, _ in pickletools.genops(pickles[0]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_damage_to_a_joblib_file_raises(noise: bytes, at: int) -> None:
    data = bytearray(dumped([np.ones(5), "x", np.array(["a", None], dtype=object)]))
    data[at : at + len(noise)] = noise
    without_arrays(io.BytesIO(bytes(data)))
