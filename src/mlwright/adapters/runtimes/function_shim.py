"""Lets plain MLflow load a function that mlwright saved: a copy of this file lies in ``code/`` of its folder.

It imports nothing of mlwright, and beyond the standard library only what MLflow brings. A proof without MLflow says
what MLmodel does, and needs no more than the standard library.
"""

from __future__ import annotations

import importlib
import sys
from functools import reduce
from pathlib import Path
from typing import Any


class Predictor:
    """The function behind MLflow's ``predict``, which takes a data frame."""

    def __init__(self, path: str, conf: dict[str, Any] | None = None) -> None:
        folder = Path(path)
        if conf is None:
            yaml = importlib.import_module("yaml")
            described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
            conf = described["flavors"]["mlwright_function"]
        code = folder / conf["code"]
        if str(code) not in sys.path:
            sys.path.insert(0, str(code))
        module, _, name = conf["entry"].partition(":")
        found: Any = reduce(getattr, name.split("."), importlib.import_module(module))
        self._predict = _prepared(found, code).predict if isinstance(found, type) else found
        self._columnwise = conf["columnwise"]
        self._arrays = conf["arrays"]

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Answer a data frame, or the JSON of one in split form, with a list or with lists by output."""
        columns = _columns(model_input)
        if self._columnwise:
            given = {name: _array(each, self._arrays.get(name)) for name, each in columns.items()}
            return _plain(self._predict(**given))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        answers = [_plain(self._predict(**row)) for row in rows]
        if answers and isinstance(answers[0], dict):
            return {name: [each[name] for each in answers] for name in answers[0]}
        return answers


def _load_pyfunc(path: str) -> Predictor:
    """What MLflow calls."""
    return Predictor(path)


def _prepared(kind: Any, code: Path) -> Any:
    return kind(code) if kind.__init__ is not object.__init__ else kind()


def _columns(given: Any) -> dict[str, list[Any]]:
    if isinstance(given, dict) and "columns" in given and "data" in given:
        return {name: [row[at] for row in given["data"]] for at, name in enumerate(given["columns"])}
    return {str(name): [_none(each) for each in given[name].tolist()] for name in given}


def _array(column: list[Any], dtype: str | None) -> Any:
    return column if dtype is None else importlib.import_module("numpy").array(column, dtype=dtype)


def _none(value: Any) -> Any:
    missing: bool = value != value  # a missing value of pandas is not equal to itself
    return None if missing else value


def _plain(answer: Any) -> Any:
    if hasattr(answer, "_asdict"):
        answer = answer._asdict()
    elif hasattr(answer, "__dataclass_fields__"):
        answer = {name: getattr(answer, name) for name in answer.__dataclass_fields__}
    if isinstance(answer, dict):
        return {name: _plain(each) for name, each in answer.items()}
    return answer.tolist() if hasattr(answer, "tolist") else answer
