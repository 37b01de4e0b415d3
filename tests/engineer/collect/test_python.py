"""Python source as facts: what is imported, called, made by what, assigned, defined, caught."""

import pytest

from mlwright.engineer.collect.making import Maker
from mlwright.engineer.collect.places import looks_like_path
from mlwright.engineer.collect.python_source import parse_file
from mlwright.engineer.facts.code import Call, PythonFile, Role


def read(source: str | bytes, path: str = "src/pkg/train.py") -> PythonFile:
    content = source if isinstance(source, bytes) else source.encode()
    return Maker().python_file(path, Role.PRODUCTION, parse_file(path, content))


def called(source: str) -> dict[str, Call]:
    return {each.name: each for each in read(source).calls}


def test_aliases_of_imports_are_expanded() -> None:
    file = read(
        "import numpy as np\nimport os.path\nfrom sklearn.svm import SVC as S\n"
        "np.random.seed(1)\nos.path.join('a')\nS(C=2)\nnp.array"
    )
    assert [each.name for each in file.calls] == ["numpy.random.seed", "os.path.join", "sklearn.svm.SVC"]
    assert [each.name for each in file.imports] == ["numpy", "os.path", "sklearn.svm.SVC"]
    assert file.imports_any("sklearn") == file.imports[2]


def test_relative_imports_become_absolute_as_far_as_the_path_tells() -> None:
    file = read("from .util import load\nfrom ..base import x\nfrom . import y\nload()", "src/pkg/sub/a.py")
    assert [each.name for each in file.imports] == ["pkg.sub.util.load", "pkg.base.x", "pkg.sub.y"]
    assert file.calls[0].name == "pkg.sub.util.load"


def test_a_variable_of_a_function_hides_an_import() -> None:
    file = read("import json\ndef f(json):\n    json.loads('')\njson.loads('')")
    assert [(each.name, each.receiver) for each in file.calls] == [("json.loads", "json"), ("json.loads", "")]


IMPORTS = "from sklearn.preprocessing import StandardScaler\nfrom sklearn.svm import SVC as LR\n"
SVC = "sklearn.svm.SVC"


@pytest.mark.parametrize(
    ("source", "name", "receiver", "made_by"),
    [
        ("s = StandardScaler()\ns.fit(X)", "s.fit", "s", "sklearn.preprocessing.StandardScaler"),
        ("LR().fit(X, y)", "sklearn.svm.SVC.fit", "", SVC),
        ("m = LR().fit(X, y)\nm.predict(X)", "m.predict", "m", SVC),
        ("m = LR()\nm = m.fit(X, y)\nm.score(X)", "m.score", "m", SVC),
        ("m = LR()\nn = m\nn.score(X)", "n.score", "n", SVC),
        ("m = LR()\nm = None\nm.score(X)", "m.score", "m", ""),
        ("m = await LR()\nm.score(X)", "m.score", "m", SVC),
        ("m = LR() if a else None\nm.score(X)", "m.score", "m", SVC),
        ("if (m := LR()):\n    m.score(X)", "m.score", "m", SVC),
        ("def f(m: LR):\n    m.score(X)", "m.score", "m", SVC),
        ("for m in [LR(), LR(C=2)]:\n    m.score(X)", "m.score", "m", SVC),
        (
            "ms = {'a': LR()}\nfor name, m in sorted(ms.items()):\n    m.score(X)",
            *("m.score", "m", SVC),
        ),
        (
            "for n, m in zip(names, [LR()]):\n    m.score(X)",
            *("m.score", "m", SVC),
        ),
        ("ms = {'a': LR()}\nms['a'].score(X)", "ms.score", "ms", SVC),
        ("def f():\n    model.score(X)\nmodel = LR()", "model.score", "model", SVC),
        (
            "def start():\n    global model\n    model = LR()\ndef ask():\n    model.score(X)",
            *("model.score", "model", SVC),
        ),
        (
            "class A:\n    def go(self):\n        self.m.score(X)\n    def __init__(self):\n        self.m = LR()",
            *("self.m.score", "self.m", SVC),
        ),
        ("app.state.model = LR()\napp.state.model.score(X)", "app.state.model.score", "app.state.model",
         SVC),
        ("def f():\n    m = LR()\ndef g(m):\n    m.score(X)", "m.score", "m", ""),
        ("df['a'].mean()", "df.mean", "df", ""),
        ("(a + b).mean()", ".mean", "", ""),
        ("'{}'.format(x)", "str.format", "", ""),
    ],
)  # fmt: skip
def test_what_a_variable_was_made_by(source: str, name: str, receiver: str, made_by: str) -> None:
    call = called(IMPORTS + source)[name]
    assert (call.receiver, call.made_by) == (receiver, made_by)


def test_arguments_keep_their_value_names_and_text() -> None:
    call = called("f(1, -2.5, x.y[z], *rest, flag=True, other=None, text='é', raw=b'a', **more)")["f"]
    assert [(each.keyword, each.constant, each.value) for each in call.args] == [
        (None, True, 1),
        (None, True, -2.5),
        (None, False, None),
        (None, False, None),
        ("flag", True, True),
        ("other", True, None),
        ("text", True, "é"),
        ("raw", True, "b'a'"),
        ("**", False, None),
    ]
    assert [each.text for each in call.args[2:4]] == ["x.y[z]", "*rest"]
    assert call.args[2].names == ("x", "z")
    assert call.argument("flag") == call.args[4]
    assert called("g(  [1,\n   2],\n  'é' + ü)")["g"].args[0].text == "[1, 2]"
    assert called("g('é', ü.ö)")["g"].args[1].text == "ü.ö"
    assert len(called(f"g({'a' * 90} + 1)")["g"].args[0].text) == 80


def test_calls_know_scope_loop_results_and_line_of_their_name() -> None:
    file = read(
        "def outer():\n    def inner():\n        a, (b, c.d) = f()\n    for x in items():\n        g()\n"
        "        def again():\n            h()\n    while k():\n        pass\nclass A:\n    def m(self):\n        z()\n"
        "(frame\n .drop()\n .sort())"
    )
    found = {each.name: each for each in file.calls}
    assert (found["f"].scope, found["f"].results) == ("outer.inner", ("a", "b", "c.d"))
    assert [name for name, each in found.items() if each.looped] == ["g", "k"]
    assert (found["h"].scope, found["z"].scope, found["frame.drop.sort"].scope) == ("outer.again", "A.m", "")
    assert (found["frame.drop"].line, found["frame.drop.sort"].line) == (14, 15)
    assert [each.line for each in file.calls] == sorted(each.line for each in file.calls)


def test_constants_bindings_and_keyed_places() -> None:
    file = read(
        "SEED = 42\nconfig = {'model': {'lr': 0.1}, 'cols': ['a']}\nconfig['seed'] = 7\nself.rate = -1\n"
        "X, y = df[['age', 'zip']], df['late']\nclass C:\n    batch: int = 8\ndel df['late']\nFEATURES = ['a', 'b']\n"
    )
    assert [(each.name, each.value) for each in file.assignments] == [
        ("SEED", 42),
        ("config.model.lr", 0.1),
        ("config.seed", 7),
        ("self.rate", -1),
        ("C.batch", 8),
    ]
    assert [(each.targets, each.names, each.strings) for each in file.bindings] == [
        (("config",), (), ("model", "cols", "lr", "a")),
        (("X",), ("df",), ("age", "zip")),
        (("y",), ("df",), ("late",)),
        (("df.late",), ("df",), ()),
        (("FEATURES",), (), ("a", "b")),
    ]
    assert file.bindings[1].text == "df[['age', 'zip']]"
    assert file.bindings[3].text == "del"


def test_functions_and_classes() -> None:
    file = read(
        "import dataclasses\nfrom fastapi import FastAPI\nfrom torch import nn\napp = FastAPI()\n"
        "@app.post('/x')\nasync def ask(a, /, b: int = 1, *rest, c, **more):\n    '''Doc.'''\n    return 1\n"
        "@dataclasses.dataclass\nclass Net(nn.Module):\n    width: int\n    def forward(self, x):\n        pass\n"
    )
    ask, forward = file.functions
    assert (ask.name, ask.line, ask.end, ask.decorators, ask.asynchronous) == (
        "ask",
        6,
        8,
        ("app.post",),
        True,
    )
    assert ask.parameters == ("a", "b", "rest", "c", "more")
    assert (ask.documented, ask.statements, ask.shape) == (True, 1, "")
    assert (forward.name, forward.documented) == ("Net.forward", False)
    assert (file.classes[0].bases, file.classes[0].fields) == (("torch.nn.Module",), ("width",))


BODY = """
def {name}({frame}):
    {frame} = {frame}.dropna()
    {frame}["a"] = {frame}["b"] / {constant}
    if {frame}.empty:
        raise ValueError("{constant}")
    for {row} in {frame}.itertuples():
        print({row}.a)
    return {frame}
"""


def test_copied_functions_have_the_same_shape_and_others_have_not() -> None:
    one = BODY.format(name="prepare", frame="frame", row="row", constant=100)
    two = BODY.format(name="clean", frame="df", row="each", constant=7)
    other = two.replace("dropna", "fillna")
    first, second, third = read(one + two + other).functions
    assert first.shape == second.shape != ""
    assert third.shape != first.shape


def test_handlers_guards_asserts_paths_and_words() -> None:
    file = read(
        "try:\n    pass\nexcept:\n    pass\nexcept (ValueError, Exception):\n    log()\nexcept KeyError:\n    ...\n"
        "p = '/home/ann/data.csv'\nq = 'a/b'\nassert p\nself.assertEqual(1, 2)\nfoo(Quantile='Drift')\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    assert [(each.broad, each.silent) for each in file.handlers] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    assert (file.main_guard, file.asserts, file.lines) == (True, 2, 15)
    assert file.paths == (("/home/ann/data.csv", 9),)
    assert {"quantile", "drift", "assertequal", "p"} <= file.words


@pytest.mark.parametrize(
    "text",
    [
        "data/train.csv",
        "/home/x",
        "C:\\data\\a.csv",
        "~/models",
        "s3://bucket/key",
        "https://x.org/a",
        "model.pkl",
        "a/b/c",
    ],
)
def test_texts_that_look_like_paths(text: str) -> None:
    assert looks_like_path(text)


@pytest.mark.parametrize(
    "text", ["and/or", "application/json", "hello.", "e.g. this", "3.14", "", "a" * 400 + "/x.csv"]
)
def test_texts_that_do_not(text: str) -> None:
    assert not looks_like_path(text)


def test_the_encoding_that_a_file_declares_is_used() -> None:
    assert read("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")).assignments[0].value == "é"
    assert read(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n").lines == 2
    assert read(b"x = '\xff\xfe'\n").assignments[0].value == "��"


def test_a_lone_surrogate_never_leaves_the_reader() -> None:
    file = read("x = '\\ud800'\nf('\\udcff/a.csv')\n")
    assert [file.assignments[0].value, file.calls[0].args[0].value] == ["?", "?/a.csv"]
    "".join(file.words).encode()


@pytest.mark.parametrize("source", ["def f(:\n", "print 'x'\n", "x = 1\n  y\n"])
def test_a_syntax_error_is_a_fault_and_nothing_else(source: str) -> None:
    file = read(source)
    assert file.fault is not None
    assert file.fault.startswith("line ")
    assert not file.calls


def test_the_same_source_gives_the_same_facts() -> None:
    source = BODY.format(name="a", frame="b", row="c", constant=1)
    assert read(source) == read(source)
