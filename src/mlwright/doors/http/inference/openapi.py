"""``GET /openapi.json``: the calls of every endpoint in force as OpenAPI 3.1, with the fields of its own model.

Types and bounds are those of the model's signature and of the endpoint's contract. Every example is one that the server
answers with 200, as far as the contract's patterns for texts can be met without knowing an example of one.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from mlwright import __version__
from mlwright.doors.http.inference.answering import encoded
from mlwright.doors.http.inference.exchange import JSON, Response
from mlwright.doors.http.inference.openapi_calls import calls
from mlwright.doors.http.inference.tensors import LIMITS
from mlwright.errors import MlwrightError
from mlwright.model.batches import DATATYPES, NUMBERS, WHOLE
from mlwright.model.registry import Field
from mlwright.model.value_rules import ValueRule
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.host import InferenceHost

Schema: TypeAlias = dict[str, Any]

_AN_INSTANT: Final = 1_735_732_800_000_000  # 2025-01-01 12:00 UTC
_SMALLEST_SIDE: Final = 1


def document(host: InferenceHost) -> Response:
    """The document. An endpoint without a model in force is not in it."""
    paths: Schema = {}
    schemas: Schema = {"Error": _ERROR, "MlflowError": _MLFLOW_ERROR, "InferResponse": _INFER_RESPONSE}
    described: list[str] = []
    for name, core in sorted(host.cores.items()):
        with suppress(MlwrightError):
            model = _Model(core)
            schemas[model.record] = model.row()
            paths |= model.paths()
            described.append(name)
    if len(host.cores) == 1 and described:
        paths["/invocations"] = {
            "post": paths[f"/models/{described[0]}/invocations"]["post"] | {"operationId": "invocations"}
        }
    paths |= calls(host.cores)
    return Response(
        encoded(
            {
                "openapi": "3.1.0",
                "info": {"title": "mlwright inference", "version": __version__},
                "paths": paths,
                "components": {"schemas": schemas},
            }
        )
    )


class _Model:
    """The part of one endpoint."""

    def __init__(self, core: EndpointCore) -> None:
        self.form: Final[Form] = core.form
        self._rules = core.checks.rules
        self.record = f"Row.{_component(self.form.endpoint)}"
        form = self.form
        keys = (Field(name=form.entity, type="string"), Field(name=form.timestamp, type="long"))
        self._fields = (*form.inputs, *keys) if form.keyed else form.inputs

    def row(self) -> Schema:
        """One row by name."""
        form = self.form
        if not form.inputs:
            return {"type": "object", "description": "The model has no signature: whatever it takes."}
        return {
            "type": "object",
            "properties": {each.name: self._value(each) for each in self._fields},
            "required": [each.name for each in self._fields if each.required],
            "additionalProperties": form.extra != "reject",
            "example": self.example(),
        }

    def example(self) -> dict[str, object]:
        """A row that can be sent."""
        return {each.name: self._sample(each) for each in self._fields}

    def paths(self) -> Schema:
        """Its calls, one path each."""
        form = self.form
        name, row = form.endpoint, {"$ref": f"#/components/schemas/{self.record}"}
        rows = {"type": "array", "items": row, "minItems": 1}
        sample = [self.example()] if form.inputs else None
        columns: Schema = {"type": ["object", "array"]}
        split = {"type": "object", "required": ["columns", "data"]}
        mlflow = _one_of(dataframe_records=rows, instances=rows, dataframe_split=split, inputs=columns)
        mlflow["properties"] |= {"params": {"type": "object"}}
        v1 = _one_of(instances=rows if form.inputs else {"type": "array"}, inputs=columns)
        examples = {"type": "object", "properties": {"examples": rows}, "required": ["examples"]}
        calls: list[tuple[str, str, Schema, str, Schema]] = [
            (f"/v2/models/{name}/infer", "infer", self._infer(), "Error", _ref("InferResponse")),
            (f"/models/{name}/invocations", "invocations", mlflow, "MlflowError", _PREDICTIONS),
            (f"/v1/models/{name}:predict", "predict", v1, "Error", _one_of(predictions=_ANY, outputs=_ANY)),
        ]
        if any(each.type in NUMBERS for each in form.outputs):
            results = {
                "type": "object",
                "required": ["results"],
                "properties": {"results": {"type": "array"}},
            }
            calls += [
                (f"/v1/models/{name}:{verb}", verb, examples, "Error", results)
                for verb in ("classify", "regress")
            ]
        keys = {"infer": None, "invocations": "dataframe_records", "predict": "instances"}
        paths: Schema = {}
        for path, verb, body, error, answer in calls:
            key = keys.get(verb, "examples")
            shown = None if sample is None else self._infer_example() if key is None else {key: sample}
            paths[path] = {"post": _call(f"{verb}.{_component(name)}", name, body, shown, error, answer)}
        answered = {"200": _json({"type": "object"}, "What it takes and gives.")}
        for path, verb in ((f"/v2/models/{name}", "metadata"), (f"/v1/models/{name}", "status")):
            paths[path] = {
                "get": {
                    "operationId": f"{verb}.{_component(name)}",
                    "tags": [name],
                    "responses": answered | {"503": _json(_ref("Error"), "Nothing is in force.")},
                }
            }
        return paths

    def _infer(self) -> Schema:
        """The body of the Open Inference Protocol, with the names of the inputs."""
        names = [each.name for each in self._fields]
        described = "; ".join(
            f"{each.name}: {DATATYPES[each.type]} {[-1, *each.shape]}" for each in self._fields
        )
        if self.form.matrix:
            described += (
                f". Or all inputs as one tensor of shape [-1, {len(self.form.inputs)}], under any name."
            )
        tensor = {
            "type": "object",
            "properties": {
                "name": {"type": "string", "examples": names},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
                "datatype": {"enum": sorted(set(DATATYPES.values()))},
                "data": {"type": "array"},
                "parameters": {"type": ["object", "null"]},
            },
            "required": ["name", "shape", "datatype", "data"],
        }
        return {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "null"]},
                "inputs": {"type": "array", "items": tensor, "minItems": 1, "description": described},
                "outputs": {
                    "type": ["array", "null"],
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}},
                        "required": ["name"],
                    },
                },
                "parameters": {"type": ["object", "null"]},
            },
            "required": ["inputs"],
        }

    def _infer_example(self) -> Schema:
        return {
            "inputs": [
                {
                    "name": each.name,
                    "shape": [1, *(_side(side) for side in each.shape)],
                    "datatype": DATATYPES[each.type],
                    "data": [self._sample(each)],
                }
                for each in self._fields
            ]
        }

    def _value(self, each: Field) -> Schema:
        """The schema of one value of an input; a null is a missing value."""
        rule = self._rules.get(each.name)
        schema: Schema = _typed(each)
        nullable = each.name not in (self.form.entity, self.form.timestamp)
        if rule is not None and not each.shape:
            schema |= _bounds(each, rule)
            nullable = nullable and rule.nullable
        for side in reversed(each.shape):
            schema = {"type": "array", "items": schema}
            if side >= 0:
                schema |= {"minItems": side, "maxItems": side}
        if each.shape or not nullable:
            return schema
        if "enum" in schema:
            return schema | {"enum": [*schema["enum"], None], "type": [schema["type"], "null"]}
        return schema | {"type": [schema["type"], "null"]}

    def _sample(self, each: Field) -> object:
        value: object = _one(each, self._rules.get(each.name))
        for side in reversed(each.shape):
            value = [value] * _side(side)
        return value


def _side(side: int) -> int:
    return side if side >= 0 else _SMALLEST_SIDE


def _typed(each: Field) -> Schema:
    if each.type in WHOLE:
        low, high = LIMITS[DATATYPES[each.type]]
        return {"type": "integer", "minimum": low, "maximum": high}
    if each.type in NUMBERS:
        return {"type": "boolean" if each.type == "boolean" else "number"}
    if each.type == "datetime":
        return {"type": "string", "format": "date-time"}
    return {"type": "string"} | ({"contentEncoding": "base64"} if each.type == "binary" else {})


def _bounds(each: Field, rule: ValueRule) -> Schema:
    found: Schema = {}
    if rule.allowed:
        found["enum"] = list(rule.allowed)
    if rule.pattern is not None:
        found["pattern"] = f"^(?:{rule.pattern})$"
    if rule.max_length is not None:
        found["maxLength"] = rule.max_length
    if each.type in NUMBERS:
        found |= {} if rule.minimum is None else {"minimum": rule.minimum}
        found |= {} if rule.maximum is None else {"maximum": rule.maximum}
    return found


def _one(each: Field, rule: ValueRule | None) -> object:
    """A value that the rule allows."""
    if rule is not None and rule.allowed:
        return rule.allowed[0]
    if each.type == "boolean":
        return True
    if each.type in NUMBERS:
        low = rule.minimum if rule is not None else None
        high = rule.maximum if rule is not None else None
        value = low if low is not None else min(1.0, high) if high is not None else 1.0
        if each.type in WHOLE:
            at = (
                _AN_INSTANT if each.type == "long" and each.name.endswith(("_at", "time", "timestamp")) else 1
            )
            return at if rule is None or (low is None and high is None) else int(-(-value // 1))
        return value
    if each.type == "datetime":
        return "2025-01-01T12:00:00Z"
    text = "YQ==" if each.type == "binary" else "a"
    return text if rule is None or rule.max_length is None else text[: rule.max_length]


def _component(name: str) -> str:
    """A name that a component may have."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Mapping[str, object], what: str, example: object = None) -> Schema:
    content: Schema = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": what, "content": {JSON: content}}


def _one_of(**forms: Mapping[str, object]) -> Schema:
    """An object with exactly one of these."""
    return {"type": "object", "properties": {**forms}, "oneOf": [{"required": [each]} for each in forms]}


def _call(operation: str, tag: str, body: Schema, example: object, error: str, answer: Schema) -> Schema:
    content = _json(body, "Rows to predict.", example)
    refused = partial(_json, _ref(error))
    return {
        "operationId": operation,
        "tags": [tag],
        "requestBody": {"required": True, "content": content["content"]},
        "responses": {
            "200": _json(answer, "The predictions, in the order of the rows."),
            "400": refused("It cannot be served as it is; the faults name field and row."),
            "413": refused("The body is too large: send fewer rows a request."),
            "429": refused("Too many requests of this client."),
            "503": refused("No model is in force, or more is asked for than can be answered."),
            "504": refused("The answer would have come after the deadline."),
        },
    }


_ANY: Final[Schema] = {}
_ERROR: Final[Schema] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "faults": {"type": "array", "items": {"type": "object"}},
        "next_command": {"type": ["string", "null"]},
    },
}
_MLFLOW_ERROR: Final[Schema] = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}
_PREDICTIONS: Final[Schema] = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array"}},
}
_INFER_RESPONSE: Final[Schema] = {
    "type": "object",
    "required": ["model_name", "id", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"type": "string"},
                    "data": {"type": "array"},
                },
            },
        },
    },
}
