"""The generated messages are those of the protocol file, and the file is that of the protocol.

To make them anew: in an environment with ``grpcio-tools==1.63.2``, in ``src/mlwright/doors/grpc``::

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. open_inference.proto

and then write ``_descriptor_pool.DescriptorPool()`` for ``_descriptor_pool.Default()`` in ``open_inference_pb2.py``: in
a pool of their own our messages do not collide with those of the same names that tritonclient or kserve register,
should a model import one of them.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from mlwright.doors.grpc import open_inference_pb2 as wire

FOLDER = Path(wire.__file__).parent

NUMBERS = {
    "ModelInferRequest": "model_name model_version id parameters inputs outputs raw_input_contents",
    "ModelInferRequest.InferInputTensor": "name datatype shape parameters contents",
    "ModelInferRequest.InferRequestedOutputTensor": "name parameters",
    "ModelInferResponse": "model_name model_version id parameters outputs raw_output_contents",
    "ModelInferResponse.InferOutputTensor": "name datatype shape parameters contents",
    "InferParameter": "bool_param int64_param string_param double_param uint64_param",
    "InferTensorContents": "bool_contents int_contents int64_contents uint_contents uint64_contents fp32_contents"
    " fp64_contents bytes_contents",
    "ModelMetadataResponse": "name versions platform inputs outputs",
    "ModelMetadataResponse.TensorMetadata": "name datatype shape",
    "ModelStreamInferResponse": "error_message infer_response",
    "RepositoryIndexResponse.ModelIndex": "name version state reason",
    "RepositoryModelLoadRequest": "repository_name model_name parameters",
    "ModelConfigRequest": "name version",
    "ModelConfigResponse": "config",
    "ModelOutput": "name data_type dims",
    "StatisticDuration": "count ns",
    "InferStatistics": "success fail queue compute_input compute_infer compute_output",
    "InferBatchStatistics": "batch_size compute_input compute_infer compute_output",
    "ModelStatistics": "name version last_inference inference_count execution_count inference_stats batch_stats",
    "ModelStatisticsRequest": "name version",
    "ModelStatisticsResponse": "model_stats",
}
"""The published fields in the order of their numbers, which begin at 1 and leave none out."""


def strip(messages) -> None:
    """Drop the names that fields have in JSON: they follow from the others, and the Python module leaves them out."""
    for message in messages:
        for each in message.field:
            each.ClearField("json_name")
        strip(message.nested_type)


def test_the_file_gives_these_messages(tmp_path) -> None:
    pytest.importorskip("grpc_tools")
    out = tmp_path / "set"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", f"--descriptor_set_out={out}"]
    done = subprocess.run([*command, "open_inference.proto"], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    [made] = FileDescriptorSet.FromString(out.read_bytes()).file
    strip(made.message_type)
    assert made == FileDescriptorProto.FromString(wire.DESCRIPTOR.serialized_pb)


def test_the_messages_have_a_pool_of_their_own() -> None:
    from google.protobuf import descriptor_pool

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
    assert wire.DESCRIPTOR.package == "inference"


@pytest.mark.parametrize("name", NUMBERS)
def test_fields_have_the_published_numbers(name) -> None:
    message = wire.DESCRIPTOR.message_types_by_name[name.partition(".")[0]]
    if "." in name:
        message = message.nested_types_by_name[name.partition(".")[2]]
    assert {each.name: each.number for each in message.fields} == {
        each: number for number, each in enumerate(NUMBERS[name].split(), 1)
    }


def test_what_is_left_out_of_tritons_configuration_leaves_its_numbers_free() -> None:
    def numbers(name: str) -> dict[str, int]:
        return {each.name: each.number for each in wire.DESCRIPTOR.message_types_by_name[name].fields}

    assert numbers("ModelConfig") == {
        "name": 1,
        "platform": 2,
        "version_policy": 3,
        "max_batch_size": 4,
        "input": 5,
        "output": 6,
        "backend": 17,
    }
    assert numbers("ModelInput") == {"name": 1, "data_type": 2, "dims": 4}
    assert numbers("ModelVersionPolicy") == {"specific": 3}
    assert wire.DataType.items()[-2:] == [("TYPE_STRING", 13), ("TYPE_BF16", 14)]


def test_bytes_as_a_client_writes_them() -> None:
    """Encoded by hand: model_name "m", one input "x" FP64 [1], raw contents 1.0."""
    written = bytes.fromhex("0a016d 2a0c 0a0178 120446503634 1a0101 3a08 000000000000f03f".replace(" ", ""))
    read = wire.ModelInferRequest.FromString(written)
    assert (read.model_name, read.inputs[0].name, read.inputs[0].datatype) == ("m", "x", "FP64")
    assert list(read.inputs[0].shape) == [1]
    assert read.raw_input_contents[0] == bytes.fromhex("000000000000f03f")


@pytest.mark.parametrize(("parameter", "number"), [("int64_param", 2), ("uint64_param", 5)])
def test_parameters_are_one_of(parameter, number) -> None:
    said = wire.InferParameter(**{parameter: 1})
    assert said.WhichOneof("parameter_choice") == parameter
    assert said.SerializeToString() == bytes((number << 3, 1))
