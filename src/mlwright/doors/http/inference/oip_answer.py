"""Answers of the Open Inference Protocol: JSON from prebuilt pieces, or JSON and binary tensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from mlwright.doors.http.inference import oip_binary
from mlwright.doors.http.inference.answering import encoded, listed
from mlwright.doors.http.inference.cells import MOST_FAULTS
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.parsing import refused
from mlwright.doors.http.inference.tensors import RequestedOutput
from mlwright.errors import Fault, near_match
from mlwright.model.batches import NUMBERS, Array
from mlwright.stages.serving.asks import Answer
from mlwright.stages.serving.form import Form

OURS: Final = ("prediction_id", "model_version", "variant")
"""The outputs behind those of the model."""

_DATATYPES: Final[Mapping[str, str]] = {
    "?": "BOOL",
    "b": "INT8",
    "h": "INT16",
    "i": "INT32",
    "l": "INT64",
    "q": "INT64",
    "B": "UINT8",
    "H": "UINT16",
    "I": "UINT32",
    "L": "UINT64",
    "Q": "UINT64",
    "e": "FP16",
    "f": "FP32",
    "d": "FP64",
}
"""The datatype of each kind of array, by the character of its dtype; all others are BYTES."""
_OCTETS: Final = "application/octet-stream"
MOST_OUTPUTS: Final = 1000
"""How many outputs a request may ask for, those it asks for twice included."""
_MOST_CLASSES: Final = 1000
_MOST_KEPT: Final = 64


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One output that a request asks for."""

    name: str
    binary: bool = False
    classes: int = 0
    """How many of the highest values to give, as Triton's classification does; 0 gives the values themselves."""


class Writer:
    """Writes the answers of one form."""

    def __init__(self, form: Form) -> None:
        version = encoded(str(form.version))
        self._start = b'{"model_name":%b,"model_version":%b,"id":' % (encoded(form.endpoint), version)
        self._outputs = {each.name: each for each in form.outputs}
        self._names = tuple(self._outputs)
        self._ours = tuple(name for name in OURS if name not in self._outputs)
        self._short = len(self._ours) == len(OURS)
        self._pieces: dict[tuple[str, str, str], tuple[bytes, bytes, bytes]] = {}

    def wanted(self, outputs: Sequence[RequestedOutput] | None, binary: bool) -> tuple[Wanted, ...] | None:
        """What a request asks for, in its order; None where that is everything, as JSON.

        Raises:
            BadRequest: an output has a name that there is not, or cannot be classified.
        """
        if not outputs:
            if not binary:
                return None
            return (
                tuple(Wanted(name, True) for name in (*self._names, *self._ours))
                if self._names
                else ALL_BINARY
            )
        if len(outputs) > MOST_OUTPUTS:
            raise refused(
                [
                    Fault(
                        where="outputs",
                        what=f"{len(outputs)} are asked for, at most {MOST_OUTPUTS} are given",
                    )
                ]
            )
        known = (*self._names, *self._ours)
        faults: list[Fault] = []
        wanted: list[Wanted] = []
        for each in outputs:
            if len(faults) >= MOST_FAULTS:
                break
            said = each.parameters or {}
            if self._names and each.name not in known:
                near = near_match(each.name, known)
                faults.append(
                    Fault(where=f"outputs.{each.name[:40]}", what="there is no such output", near=near)
                )
                continue
            classes = said.get("classification", 0)
            if type(classes) is not int or not 0 <= classes <= _MOST_CLASSES:
                faults.append(
                    Fault(where=f"outputs.{each.name}", what=f"classification must be 0 to {_MOST_CLASSES}")
                )
            elif classes and (each.name in self._ours or not self._numbers(each.name)):
                faults.append(Fault(where=f"outputs.{each.name}", what="only numbers can be classified"))
            else:
                wanted.append(Wanted(each.name, said.get("binary_data", binary) is True, classes))
        if faults:
            raise refused(faults)
        return tuple(wanted)

    def _numbers(self, name: str) -> bool:
        return name not in self._outputs or self._outputs[name].type in NUMBERS

    def write(
        self, answer: Answer, request_id: str | None = None, wanted: tuple[Wanted, ...] | None = None
    ) -> Response:
        """The response. Without a ``request_id`` its id is that of the answer."""
        if wanted is not None:
            return self._write_wanted(answer, request_id, wanted)
        named = b'"%b"' % answer.id.encode() if request_id is None else encoded(request_id)
        if answer.rows == 1 and answer.degraded is None and not answer.flags and self._short:
            [*arrays] = answer.outputs.values()
            if len(arrays) == 1 and arrays[0].ndim == 1 and arrays[0].dtype.kind in "fiub":
                array = arrays[0]
                key = (array.dtype.char, answer.versions[0], answer.variants[0])
                before, between, after = self._pieces.get(key) or self._prebuilt(answer, key)
                value, own = encoded(array.tolist()), answer.id.encode()
                return Response(b"".join((self._start, named, before, value, between, own, after)))
        tensors = [
            _described(name, array) | {"data": listed(array.reshape(-1))}
            for name, array in answer.outputs.items()
        ]
        tensors += [
            {"name": name, "datatype": "BYTES", "shape": [answer.rows], "data": ours_of(answer, name)}
            for name in self._ours
        ]
        more = _parameters(answer) if answer.degraded is not None or answer.flags else b""
        return Response(b'%b%b%b,"outputs":%b}' % (self._start, named, more, encoded(tensors)))

    def _prebuilt(self, answer: Answer, key: tuple[str, str, str]) -> tuple[bytes, bytes, bytes]:
        """What is the same in every answer of one row by this variant: all but its id and the value."""
        [(name, array)] = answer.outputs.items()
        head = encoded(_described(name, array))[:-1]
        own = b'{"name":"%b","datatype":"BYTES","shape":[1],"data":[%b'
        said = own % (b"model_version", encoded(key[1])), own % (b"variant", encoded(key[2]))
        pieces = (
            b',"outputs":[%b,"data":' % head,
            b"},%b" % (own % (b"prediction_id", b'"')),
            b'.0"]},%b]},%b]}]}' % said,
        )
        if len(self._pieces) >= _MOST_KEPT:
            self._pieces.clear()
        self._pieces[key] = pieces
        return pieces

    def _write_wanted(self, answer: Answer, request_id: str | None, wanted: tuple[Wanted, ...]) -> Response:
        if wanted is ALL_BINARY:
            wanted = tuple(Wanted(name, True) for name in (*answer.outputs, *self._ours))
        tensors: list[dict[str, object]] = []
        binary: list[bytes] = []
        for each in wanted:
            array = answer.outputs.get(each.name)
            if array is None:
                if each.name not in self._ours:
                    continue  # a model without a signature has no such output
                array = np.array(ours_of(answer, each.name), dtype=object)
            if each.classes:
                array = _classified(array, each.classes)
            described = _described(each.name, array)
            if each.binary:
                raw = (
                    oip_binary.packed(array)
                    if array.dtype.kind != "M"
                    else oip_binary.packed_texts(listed(array))
                )
                described["parameters"] = {oip_binary.SIZE: len(raw)}
                binary.append(raw)
            else:
                described["data"] = listed(array.reshape(-1))
            tensors.append(described)
        more = _parameters(answer) if answer.degraded is not None or answer.flags else b""
        said = encoded(answer.id if request_id is None else request_id)
        header = b'%b%b%b,"outputs":%b}' % (self._start, said, more, encoded(tensors))
        if not binary:
            return Response(header)
        length = (oip_binary.LENGTH, str(len(header)))
        return Response(b"".join((header, *binary)), 200, _OCTETS, (length,))


ALL_BINARY: Final[tuple[Wanted, ...]] = (Wanted("", True),)
"""Everything that a model without a signature gives."""


def _described(name: str, array: Array) -> dict[str, object]:
    described: dict[str, object] = {
        "name": name,
        "datatype": _DATATYPES.get(array.dtype.char, "BYTES"),
        "shape": list(array.shape),
    }
    if array.dtype.kind == "O" and bytes in set(map(type, array.ravel().tolist())):
        described["parameters"] = {"content_type": "base64"}
    return described


def ours_of(answer: Answer, name: str) -> Sequence[str]:
    """One of :data:`OURS`, a text a row."""
    if name == "prediction_id":
        return answer.prediction_ids
    return answer.versions if name == "model_version" else answer.variants


def _parameters(answer: Answer) -> bytes:
    """What the protocol has no field for. Its parameters are plain values, so the flags are one text."""
    said: dict[str, Any] = {}
    if answer.degraded is not None:
        said["degraded"] = answer.degraded
    if answer.flags:
        said["flags"] = "; ".join(answer.flags)
    return b',"parameters":' + encoded(said)


def _classified(array: Array, classes: int) -> Array:
    """The highest values of each row as ``value:index``, highest first, as Triton writes them."""
    values = array.reshape(len(array), -1)
    if values.dtype.kind not in "fiub":
        values = np.zeros(values.shape)
    best = np.argsort(-values.astype(np.float64), axis=1, kind="stable")[:, :classes]
    texts = np.empty(best.shape, dtype=object)
    for row, order in enumerate(best.tolist()):
        texts[row] = [f"{float(values[row, at]):f}:{at}" for at in order]
    return texts
