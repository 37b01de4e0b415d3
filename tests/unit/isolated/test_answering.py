"""What runs in the process of a model, here in this one."""

import textwrap

import numpy as np
import pytest

from mlwright.adapters.isolated import answering

LOADERS = """
    import numpy as np

    class Model:
        n_features_in_ = 2

        def predict(self, matrix):
            return matrix[:, 0].astype("{dtype}")

    LOADERS = {{"sklearn": lambda folder, flavor: (Model(), None)}}
"""


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("float64", "double"), ("int64", "long"), ("bool", "boolean"), ("uint8", "uint8"),
        ("float16", "float16"), ("int16", "int16"), ("str", "string"),
    ],
)  # fmt: skip
def test_a_model_without_a_signature_tells_the_type_that_it_gives(tmp_path, dtype, kind) -> None:
    loaders = tmp_path / "loaders.py"
    loaders.write_text(textwrap.dedent(LOADERS).format(dtype=dtype))
    job = {
        "folder": str(tmp_path), "by": "sklearn", "loaders": str(loaders), "flavors": {"sklearn": {}},
        "inputs": [], "outputs": [], "categories": {}, "ours": False, "classifier": False,
    }  # fmt: skip
    answer = answering.load(job)
    assert job["inputs"] == [{"name": "input", "type": "double", "shape": [2]}]
    assert job["outputs"] == [{"name": "output", "type": kind, "shape": []}]
    found = answering.named(answer(answering.Rows(1, None, [("input", np.ones((1, 2)))])), 1, job["outputs"])
    assert [(name, array.dtype.kind) for name, array in found] == [("output", np.dtype(dtype).kind)]
