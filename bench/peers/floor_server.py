"""The floor: a bare httptools protocol under uvloop that parses the body, calls the model and answers, nothing else.

No validation, log, metrics, split, limits or errors. Arguments: port, sklearn|onnx, model file. Several share the port.
"""

import asyncio
import socket
import sys

import httptools
import msgspec
import numpy as np
import uvloop


class Tensor(msgspec.Struct):
    shape: list[int]
    data: list[float]


class Body(msgspec.Struct):
    inputs: list[Tensor]


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def loaded(kind: str, path: str):
    if kind == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda rows: session.run(None, {name: rows.astype(np.float32)})[0]
    import joblib

    return joblib.load(path).predict


class Bare(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.parts: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        tensor = decode(b"".join(self.parts)).inputs[0]
        self.parts = []
        rows = np.array(tensor.data).reshape(tensor.shape)
        body = encode({"outputs": [{"name": "score", "data": predict(rows).ravel().tolist()}]})
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )


async def main(port: int) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    server = await asyncio.get_running_loop().create_server(Bare, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    predict = loaded(sys.argv[2], sys.argv[3])
    uvloop.run(main(int(sys.argv[1])))
