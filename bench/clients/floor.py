"""The floor: the smallest ASGI server, which answers every call at once. ``python floor.py PORT [FOLDER]``.

It shows what the client can do when the server does nothing. Answers that must say something come from files that our
server gave (``FOLDER/search.json``, ``history.json``).
"""

import sys
from pathlib import Path

import uvicorn

FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else None
RUN = b'{"run": {"info": {"run_id": "00000000000000000000000000000000", "experiment_id": "0", "status": "RUNNING"}}}'


def canned(name: str) -> bytes:
    return (FOLDER / name).read_bytes() if FOLDER and (FOLDER / name).exists() else b"{}"


ANSWERS = {
    "runs/create": RUN,
    "runs/search": canned("search.json"),
    "metrics/get-history": canned("history.json"),
}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = ANSWERS.get(scope["path"].removeprefix("/api/2.0/mlflow/"), b"{}")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error", lifespan="off"
    )
