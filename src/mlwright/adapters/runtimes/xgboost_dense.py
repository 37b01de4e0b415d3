"""XGBoost's C function for a dense matrix, called without what its Python binding does around it.

``Booster.inplace_predict`` takes 150 µs for one row, most of them in the binding, which makes a class a call and
writes the same configuration anew. The C functions are documented
(https://xgboost.readthedocs.io/en/stable/c.html#prediction); the handle and the library are private names of the
binding, so that :func:`dense` gives None where they are not what they were, and its caller compares answers.
"""

import ctypes
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from mlwright.model.batches import Array


def dense(booster: Any, rounds: int) -> Callable[[Array], Array] | None:
    """Predict from a matrix of float64 on the C function; None where this version of XGBoost does not offer it so.

    Args:
        booster: an ``xgboost.Booster``; it is kept alive.
        rounds: how many rounds to answer with; 0 for all.
    """
    try:
        from xgboost.core import _LIB  # xgboost is there already

        call, last_error = _LIB.XGBoosterPredictFromDense, _LIB.XGBGetLastError
        handle = ctypes.c_void_p(booster.handle.value)
    except (ImportError, AttributeError):
        return None
    last_error.restype = ctypes.c_char_p
    conf = {
        "type": 0,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": rounds,
        "missing": float("nan"),
        "strict_shape": False,
        "cache_id": 0,
    }
    config = json.dumps(conf).encode()
    interface = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f8","version":3,"strides":null}'
    width = booster.num_features()

    def predict(matrix: Array) -> Array:
        rows, columns = matrix.shape
        if columns != width:
            raise ValueError(f"the booster takes {width} inputs, not {columns}")
        shape, dims = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        result = ctypes.POINTER(ctypes.c_float)()
        failed = call(
            handle,
            interface % (matrix.ctypes.data, rows, columns),
            config,
            None,
            ctypes.byref(shape),
            ctypes.byref(dims),
            ctypes.byref(result),
        )
        if failed:
            raise ValueError(str(last_error(), "utf-8", "replace"))
        sizes = shape[: dims.value]
        # the memory is XGBoost's, one a thread, until its next prediction
        return np.ctypeslib.as_array(result, sizes).copy()

    # keeps the booster, whose handle goes with it
    predict.booster = booster  # type: ignore[attr-defined]
    return predict
