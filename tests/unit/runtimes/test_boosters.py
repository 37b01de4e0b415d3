import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.adapters.runtimes.lightgbm import LightgbmRuntime
from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.adapters.runtimes.xgboost import XgboostRuntime
from mlwright.adapters.runtimes.xgboost_files import is_whole
from mlwright.errors import ModelLoadFailed, SignatureMismatch, UsageError
from mlwright.model.batches import Batch, batch_of
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import scores_of

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(200, 3))
LABEL = (X[:, 0] > 0).astype(int)
THREE = LABEL + (X[:, 1] > 1)
NAMES = ("a", "b", "c")
INPUTS = tuple(Field(name=name, type="double") for name in NAMES)
ONE = Signature(inputs=INPUTS, outputs=(Field(name="score", type="double"),))
VECTOR = Signature(inputs=INPUTS, outputs=(Field(name="classes", type="float", shape=(3,)),))
EXAMPLE = {name: X[:3, at].tolist() for at, name in enumerate(NAMES)}
BATCH = Batch(len(X), matrix=X, names=NAMES)


def put(runtime, model, folder: Path, signature: Signature = ONE, example=EXAMPLE, categories=None):
    runtime.save(model, folder, signature=signature, example=example, categories=categories or {})
    return runtime.load(folder)


class TestXgboost:
    xgboost = pytest.importorskip("xgboost", reason="needs the extra xgboost")

    def train(self, **more: object):
        rows = self.xgboost.DMatrix(X, label=more.pop("label", LABEL))
        return self.xgboost.train({"nthread": 1, "verbosity": 0, **more}, rows, 6)

    @pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror", "count:poisson"])
    def test_one_number(self, tmp_path, objective) -> None:
        booster = self.train(objective=objective)
        loaded = put(XgboostRuntime(), booster, tmp_path)
        np.testing.assert_array_equal(loaded.infer(BATCH)["score"], booster.inplace_predict(X))
        assert loaded.infer(BATCH)["score"].dtype == np.float64

    def test_linear_booster(self, tmp_path) -> None:
        booster = self.train(booster="gblinear")
        loaded = put(XgboostRuntime(), booster, tmp_path)
        expected = booster.predict(self.xgboost.DMatrix(X))
        np.testing.assert_allclose(loaded.infer(BATCH)["score"], expected, rtol=1e-6)

    def test_classes_are_a_vector(self, tmp_path) -> None:
        model = self.xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(X, THREE)
        loaded = put(XgboostRuntime(), model, tmp_path, VECTOR)
        np.testing.assert_array_equal(loaded.infer(BATCH)["classes"], model.predict_proba(X))
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(UsageError, match="numbers a row"):
            put(XgboostRuntime(), model, other)
        assert list(other.iterdir()) == []

    def test_early_stopping(self, tmp_path) -> None:
        model = self.xgboost.XGBRegressor(
            n_estimators=200, early_stopping_rounds=2, n_jobs=1, learning_rate=0.9
        )
        model.fit(X, X[:, 0] + RANDOM.normal(size=200), eval_set=[(X[:50], X[:50, 2])], verbose=False)
        assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
        loaded = put(XgboostRuntime(), model, tmp_path)
        np.testing.assert_array_equal(loaded.infer(BATCH)["score"], model.predict(X))

    def test_estimators_of_mlflow_give_labels(self, tmp_path) -> None:
        for at, label in enumerate((LABEL, THREE)):
            model = self.xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(X, label)
            folder = tmp_path / str(at)
            folder.mkdir()
            model.save_model(folder / "model.ubj")
            flavor = {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBClassifier"}
            (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"xgboost": flavor}}))
            loaded = XgboostRuntime().load(folder)
            answers = loaded.infer(Batch(len(X), {"input": X}))
            np.testing.assert_array_equal(answers["output"], model.predict(X))

    def test_order_of_the_fit(self, tmp_path) -> None:
        rows = self.xgboost.DMatrix(X, label=X[:, 0], feature_names=["c", "a", "b"])
        booster = self.xgboost.train({"nthread": 1}, rows, 5)
        loaded = put(XgboostRuntime(), booster, tmp_path)
        turned = Batch(len(X), matrix=X[:, [1, 2, 0]].copy(), names=NAMES)
        np.testing.assert_array_equal(
            loaded.infer(turned)["score"], booster.inplace_predict(X, validate_features=False)
        )

    def test_sklearn_leaves_it_alone(self) -> None:
        model = self.xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, LABEL)
        assert not SklearnRuntime().accepts(model)
        assert XgboostRuntime().accepts(model)
        assert not XgboostRuntime().accepts(self.xgboost.XGBClassifier())

    def test_wrong_width(self, tmp_path) -> None:
        narrow = Signature(inputs=INPUTS[:2], outputs=ONE.outputs)
        with pytest.raises(SignatureMismatch, match="refuses the values"):
            put(XgboostRuntime(), self.train(), tmp_path, narrow)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_cut_files(self, data) -> None:
        for form in ("ubj", "json"):
            whole = bytes(self.whole(form))
            assert is_whole(whole)
            assert not is_whole(whole[: data.draw(st.integers(0, len(whole) - 1))])

    def whole(self, form: str) -> bytes:
        if not hasattr(type(self), "saved"):
            type(self).saved = self.train()
        return bytes(self.saved.save_raw(form))


@given(st.binary(max_size=40))
def test_any_bytes(data) -> None:
    assert is_whole(b"{" + data) in (True, False)
    if data[:1] == b'"' and is_whole(b"{" + data):
        msgspec.json.decode(b"{" + data)


class TestLightgbm:
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")

    def test_classifier_gives_the_probability_of_the_second_class(self, tmp_path) -> None:
        words = np.array(["no", "yes"])[LABEL]
        model = self.lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(X, words)
        loaded = put(LightgbmRuntime(), model, tmp_path)
        np.testing.assert_array_equal(loaded.infer(BATCH)["score"], model.predict_proba(X)[:, 1])
        assert not LightgbmRuntime().accepts(self.lightgbm.LGBMClassifier())

    @pytest.mark.parametrize("label", [LABEL, THREE], ids=["two", "three"])
    def test_pickled_estimators_give_labels(self, tmp_path, label) -> None:
        words = np.array(["no", "yes", "very"])[label]
        model = self.lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(X, words)
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
        flavor = {"data": "model.pkl", "model_class": "lightgbm.sklearn.LGBMClassifier"}
        (tmp_path / "MLmodel").write_text(yaml.safe_dump({"flavors": {"lightgbm": flavor}}))
        (tmp_path / "requirements.txt").write_text("lightgbm==0.1\nscikit-learn==0.1")
        answers = LightgbmRuntime().load(tmp_path).infer(Batch(len(X), {"input": X}))
        assert answers["output"].tolist() == model.predict(X).tolist()
        assert LightgbmRuntime().lacks(tmp_path) == ("lightgbm==0.1", "scikit-learn==0.1")

    def test_texts_need_levels(self, tmp_path) -> None:
        model = self.lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbose=-1).fit(X[:, :1], X[:, 0])
        text = Signature(inputs=(Field(name="k", type="string"),), outputs=ONE.outputs)
        with pytest.raises(UsageError, match="without categories: k"):
            put(LightgbmRuntime(), model, tmp_path, text, {"k": ["x"]})
        loaded = put(LightgbmRuntime(), model, tmp_path, text, {"k": ["x", "y"]}, {"k": ("y", "x")})
        assert scores_of(loaded, {"k": ["x", "y"]}) == model.predict([[1.0], [0.0]]).tolist()


class TestOnnx:
    helper = pytest.importorskip("onnx.helper", reason="needs the extra onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

    def graph(self, nodes, inputs, outputs):
        info = self.helper.make_tensor_value_info
        made = self.helper.make_graph(
            [self.helper.make_node(*node[:3], **node[3]) for node in nodes],
            "g",
            [info(*each) for each in inputs],
            [info(*each) for each in outputs],
        )
        domains = [self.helper.make_opsetid("", 18), self.helper.make_opsetid("ai.onnx.ml", 3)]
        return self.helper.make_model(made, opset_imports=domains, ir_version=9)

    def classifier(self, zipmap: bool):
        """A label, and as probabilities the first two columns."""
        nodes = [
            ("Split", ["x"], ["two", "one"], {"axis": 1, "num_outputs": 2}),
            ("ArgMax", ["two"], ["label"], {"axis": 1, "keepdims": 0}),
        ]
        given = [("label", 7, [None])]
        if not zipmap:
            return self.graph(nodes, [("x", 1, [None, 3])], [*given, ("two", 1, [None, 2])])
        nodes.append(("ZipMap", ["two"], ["maps"], {"domain": "ai.onnx.ml", "classlabels_int64s": [0, 1]}))
        model = self.graph(nodes, [("x", 1, [None, 3])], given)
        kind = self.helper.make_map_type_proto(7, self.helper.make_tensor_type_proto(1, []))
        model.graph.output.append(
            self.helper.make_value_info("maps", self.helper.make_sequence_type_proto(kind))
        )
        return model

    def test_score_is_the_second_probability(self, tmp_path) -> None:
        model = self.classifier(zipmap=False)
        loaded = put(OnnxRuntime(), model, tmp_path)
        np.testing.assert_array_equal(loaded.infer(BATCH)["score"], X[:, 1].astype(np.float32))
        assert [each.name for each in model.graph.output] == ["label", "two"], (
            "the caller's is left as it was"
        )

    def test_maps(self, tmp_path) -> None:
        model = self.classifier(zipmap=True)
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        (tmp_path / "MLmodel").write_text(yaml.safe_dump({"flavors": {"onnx": {"data": "model.onnx"}}}))
        loaded = OnnxRuntime().load(tmp_path)
        assert loaded.signature.inputs == (Field(name="x", type="float", shape=(3,)),)
        answers = loaded.infer(Batch(len(X), {"x": X.astype(np.float32)}))
        np.testing.assert_array_equal(answers["maps"], X[:, :2].astype(np.float32))
        assert answers["label"].tolist() == X[:, :2].argmax(axis=1).tolist()

    def test_inputs_of_their_own(self, tmp_path) -> None:
        """One input a column, of other types than the signature's, a text among them."""
        nodes = [
            ("Cast", ["n"], ["float"], {"to": 1}),
            ("Add", ["a", "float"], ["sum"], {}),
            ("Identity", ["k"], ["said"], {}),
        ]
        inputs = [("k", 8, [None, 1]), ("a", 1, [None, 1]), ("n", 7, [None])]
        inputs[2] = ("n", 7, [None, 1])
        model = self.graph(nodes, inputs, [("sum", 1, [None, 1]), ("said", 8, [None, 1])])
        signature = Signature(
            inputs=(
                Field(name="a", type="double"),
                Field(name="k", type="string"),
                Field(name="n", type="long"),
            ),
            outputs=(Field(name="sum", type="double"), Field(name="said", type="string")),
        )
        rows = {"a": [0.5, 1.5], "k": ["x", None], "n": [1, 2]}
        loaded = put(OnnxRuntime(), model, tmp_path, signature, rows)
        answers = loaded.infer(batch_of(signature.inputs, rows))
        assert {name: each.tolist() for name, each in answers.items()} == {
            "sum": [1.5, 3.5],
            "said": ["x", ""],
        }
        with pytest.raises(SignatureMismatch, match="'n' has a missing value, and the graph takes int64"):
            loaded.infer(batch_of(signature.inputs, {**rows, "n": [1, None]}))

    def test_what_cannot_be_saved(self, tmp_path) -> None:
        three = self.graph([("Relu", ["x"], ["y"], {})], [("x", 1, [None, 3])], [("y", 1, [None, 3])])
        wide = self.graph([("Relu", ["x"], ["score"], {})], [("x", 1, [None, 9])], [("score", 1, [None, 9])])
        for model, message in (
            (three, "gives 3 numbers a row"),
            (wide, "does not run behind this signature"),
        ):
            with pytest.raises((UsageError, SignatureMismatch), match=message):
                put(OnnxRuntime(), model, tmp_path)
            assert list(tmp_path.iterdir()) == []
        with pytest.raises(UsageError, match="cannot be saved"):
            put(OnnxRuntime(), object(), tmp_path)

    def test_signature_of_another_graph(self, tmp_path) -> None:
        put(OnnxRuntime(), self.classifier(zipmap=False), tmp_path)
        other = self.graph([("Relu", ["x"], ["score"], {})], [("x", 1, [None, 9])], [("score", 1, [None, 9])])
        (tmp_path / "model.onnx").write_bytes(other.SerializeToString())
        with pytest.raises(ModelLoadFailed, match="another number of inputs") as caught:
            OnnxRuntime().load(tmp_path)
        assert "takes 9, the signature names 3" in str(caught.value.why)
