"""A conversation with an MLflow server that lasts: all of its calls, files both ways, answers as plain JSON."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from typing import BinaryIO, Final, TypeAlias, cast

import httpx

from mlwright.adapters.mlflow.connection import addresses, credentials, error_of, trust
from mlwright.errors import DataError, ServerUnavailable

Json: TypeAlias = dict[str, object]

_PAUSES_S: Final = (0.2, 1.0, 3.0)
"""Between attempts, where nobody answers or the server says that it is busy."""
_BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: ``error`` is MLflow's code of an error, "" where it is none."""

    status: int
    body: Json
    error: str = ""
    message: str = ""


class MlflowRest:
    """One server, for as many calls as are needed.

    Args:
        uri: ``http`` or ``https``.
        environ: where user, password, token and certificates are looked up, as the mlflow client does.
        token: sent as a bearer token instead; as Databricks takes it.
        timeout_s: for connecting and for each read, in seconds.
        tries: how often a call that nobody answers is sent.
        sleep: waits between attempts.
        transport: speaks instead of the network.

    Raises:
        UsageError: the URI is not one.
    """

    def __init__(
        self,
        uri: str,
        environ: Mapping[str, str],
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
        tries: int = 4,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        url, self._base = addresses(uri)
        self.source = str(self._base).rstrip("/")
        headers, auth = credentials(url, environ)
        if token:
            headers, auth = {"authorization": f"Bearer {token}"}, None
        self._tries, self._sleep = tries, sleep
        self._http = httpx.Client(
            headers={"user-agent": "mlwright", **headers},
            auth=auth,
            timeout=timeout_s,
            verify=trust(environ),
            transport=transport,
            follow_redirects=False,
        )

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def try_call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        """One call; ``path`` stands below ``/api/``.

        Raises:
            ServerUnavailable: nobody answers, it refuses the credentials, or it is no server of this kind.
        """
        # json and not httpx's own: metrics may be NaN, which MLflow's servers read.
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        for pause in (*_PAUSES_S[: self._tries - 1], None):
            try:
                answer = self._http.request(
                    method, self._base.join(f"api/{path}"), params=query, content=content, headers=headers
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if pause is None or isinstance(error, httpx.InvalidURL):
                    raise self._silence(error) from error
            else:
                if answer.status_code not in _BUSY or pause is None:
                    return self._answer(answer.status_code, answer.content, path)
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Json:
        """The same, where only success will do.

        Raises:
            ServerUnavailable: see :meth:`try_call`; or the server answered with an error.
        """
        answer = self.try_call(method, path, query=query, body=body)
        if answer.status != httpx.codes.OK:
            raise self.refusal(answer, path)
        return answer.body

    def refusal(self, answer: Answer, path: str) -> ServerUnavailable:
        """The error that an answer means where it was not expected."""
        return ServerUnavailable(
            f"the tracking server answered {answer.status} to {path}",
            where=self.source,
            why=f"{answer.error}: {answer.message}"[:400],
            next_command="look into the server's log, then try again",
        )

    def open(self, path: str, query: Mapping[str, str]) -> BinaryIO:
        """A file, to be read in pieces; ``path`` stands below the server's root.

        Raises:
            DataError: the server does not hand it out.
        """
        try:
            request = self._http.build_request("GET", self._base.join(path), params=query)
            answer = self._http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silence(error) from error
        if answer.status_code != httpx.codes.OK:
            answer.close()
            raise DataError(
                "the server does not hand the file out",
                where=f"{self.source} {query.get('path') or path}",
                why=f"it answered {answer.status_code}",
                next_command="curl the address, then import again",
            )
        return cast("BinaryIO", _Body(answer, self._silence))

    def put(self, path: str, file: BinaryIO, size: int) -> None:
        """Send a file; ``path`` stands below the server's root.

        Raises:
            ServerUnavailable: it was not taken.
        """
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        try:
            answer = self._http.put(self._base.join(path), content=_pieces(file), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silence(error) from error
        if not answer.is_success:
            raise self.refusal(self._answer(answer.status_code, answer.content, path), path)

    def _answer(self, status: int, content: bytes, path: str) -> Answer:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or 300 <= status < 400:
            raise ServerUnavailable(
                f"the tracking server {'sends to a login page' if status < 400 else 'refuses'} ({status})",
                where=self.source,
                why="it wants other credentials than it was given, or any at all",
                next_command="export MLFLOW_TRACKING_TOKEN=…, or MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD",
            )
        if status == httpx.codes.OK:
            try:
                body = json.loads(content or b"{}")
            except (ValueError, RecursionError) as error:
                raise self._stranger(f"{path} answered something else than MLflow would") from error
            if not isinstance(body, dict):
                raise self._stranger(f"{path} answered something else than MLflow would")
            return Answer(status=status, body=body)
        error_code, message = error_of(content) or ("", "")
        if not error_code and status not in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
            raise self._stranger(f"{path} answered {status}")
        return Answer(status=status, body={}, error=error_code, message=message)

    def _silence(self, error: Exception) -> ServerUnavailable:
        timed_out = isinstance(error, httpx.TimeoutException)
        return ServerUnavailable(
            "the tracking server does not answer in time"
            if timed_out
            else "the tracking server cannot be reached",
            where=self.source,
            why=f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
            next_command=f"curl {self.source}/health, then try again",
        )

    def _stranger(self, why: str) -> ServerUnavailable:
        return ServerUnavailable(
            "this does not look like an MLflow server (1.28 or newer)",
            where=self.source,
            why=why,
            next_command=f"curl {self.source}/version",
        )


class _Body(RawIOBase):
    """The body of an answer as a file that is read once."""

    def __init__(self, answer: httpx.Response, silence: Callable[[Exception], ServerUnavailable]) -> None:
        self._answer, self._silence = answer, silence
        self._chunks: Iterator[bytes] = answer.iter_bytes(1 << 20)
        self._rest = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes; all that is left where the size is negative."""
        with self._heard():
            if size < 0:
                found = self._rest + b"".join(self._chunks)
                self._rest = b""
                return found
            if not self._rest:
                self._rest = next(self._chunks, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        """Let go of the socket."""
        self._answer.close()
        super().close()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise self._silence(error) from error


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece
