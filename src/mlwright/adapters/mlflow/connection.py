"""One bounded conversation with an MLflow server: limits on time and size, and errors that say what to do."""

import json
import ssl
from collections.abc import Mapping
from time import monotonic
from typing import Final, TypeVar

import httpx
import msgspec

from mlwright.errors import ServerUnavailable, UsageError

T = TypeVar("T")

_API: Final = "api/2.0/mlflow/"
_MOST_BYTES: Final = 32 * 1024 * 1024
_TRUE: Final = ("1", "true")


class Connection:
    """Speaks to one server.

    The user and password of the URI, or else those of the environment (``MLFLOW_TRACKING_TOKEN``, or
    ``MLFLOW_TRACKING_USERNAME`` and ``_PASSWORD``), are sent to this server only, and are in no message.

    Args:
        uri: ``http`` or ``https``.
        environ: where the names above are looked up.
        timeout_s: for connecting and for each read, in seconds.
        patience_s: for the whole conversation, in seconds.

    Raises:
        UsageError: the URI is not one.
    """

    def __init__(
        self, uri: str, environ: Mapping[str, str], *, timeout_s: float = 10.0, patience_s: float = 60.0
    ) -> None:
        url, self._base = addresses(uri)
        self.source = str(self._base).rstrip("/")
        headers, auth = credentials(url, environ)
        self._patience_s, self._end = patience_s, monotonic() + patience_s
        self._http = httpx.Client(
            headers={"user-agent": "mlwright", **headers},
            auth=auth,
            timeout=timeout_s,
            verify=trust(environ),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def ask(
        self,
        kind: type[T],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> T:
        """One call of the API: POST with a body, else GET.

        Raises:
            ServerUnavailable: as :meth:`mlwright.ports.tracking_server.TrackingServer.facts` says.
        """
        status, content = self._exchange(f"{_API}{path}", body, query or {})
        if status != httpx.codes.OK:
            raise self._refusal(status, content, path)
        try:
            # json and not msgspec's own: some servers write NaN. Protobuf's JSON has 64-bit numbers as texts.
            return msgspec.convert(json.loads(content), kind, strict=False)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise self._stranger(f"{path} answered something else than MLflow would") from error

    def fetch(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """A file that the server hands out, or None where it does not."""
        status, content = self._exchange(path, None, query)
        return content if status == httpx.codes.OK else None

    def _exchange(
        self, path: str, body: Mapping[str, object] | None, query: Mapping[str, str]
    ) -> tuple[int, bytes]:
        url = self._base.join(path)
        method = "GET" if body is None else "POST"
        try:
            with self._http.stream(method, url, params=query, json=body) as answer:
                content = bytearray()
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > _MOST_BYTES:
                        raise self._stranger(f"an answer is larger than {_MOST_BYTES // 1024**2} MB")
                    self._keep_time()
                self._keep_time()
                return answer.status_code, bytes(content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silence(error) from error

    def _keep_time(self) -> None:
        if monotonic() > self._end:
            raise ServerUnavailable(
                f"the tracking server was not done within {self._patience_s:g} s",
                where=self.source,
                next_command="name fewer experiments, or try again later",
            )

    def _silence(self, error: Exception) -> ServerUnavailable:
        if isinstance(error, httpx.TimeoutException):
            what = "the tracking server does not answer in time"
        elif isinstance(error, httpx.ConnectError):
            what = "the tracking server cannot be reached"
        else:
            what = "the conversation with the tracking server broke"
        # httpx names the error of the system ("Connection refused"), never the URL.
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return ServerUnavailable(
            what, where=self.source, why=why, next_command=f"curl {self.source}/health, then try again"
        )

    def _refusal(self, status: int, content: bytes, path: str) -> ServerUnavailable:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or 300 <= status < 400:
            said = "sends to a login page" if 300 <= status < 400 else "refuses"
            return ServerUnavailable(
                f"the tracking server {said} ({status})",
                where=self.source,
                why="it wants other credentials than it was given, or any at all",
                next_command="export MLFLOW_TRACKING_TOKEN=…, or MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD",
            )
        reason = error_of(content)
        if reason is None:
            return self._stranger(f"{path} answered {status}")
        return ServerUnavailable(
            f"the tracking server answered {status} to {path}",
            where=self.source,
            why=": ".join(reason),
            next_command="look into the server's log, then try again",
        )

    def _stranger(self, why: str) -> ServerUnavailable:
        return ServerUnavailable(
            "this does not look like an MLflow server (1.28 or newer)",
            where=self.source,
            why=why,
            next_command=f"curl {self.source}/version",
        )


def credentials(url: httpx.URL, environ: Mapping[str, str]) -> tuple[dict[str, str], httpx.BasicAuth | None]:
    """Headers and authentication, in the order of the mlflow client: user and password before a token."""
    if url.userinfo:
        return {}, httpx.BasicAuth(url.username, url.password)
    user, password = environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {}, httpx.BasicAuth(user, password)
    token = environ.get("MLFLOW_TRACKING_TOKEN")
    return ({"authorization": f"Bearer {token}"} if token else {}), None


def trust(environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """Which certificates count, as the mlflow client is told it."""
    if environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in _TRUE:
        return False
    own = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    if not own:
        return True
    try:
        return ssl.create_default_context(cafile=own)
    except OSError as error:
        raise UsageError(
            "MLFLOW_TRACKING_SERVER_CERT_PATH names no readable file of certificates",
            why=str(error),
            next_command="unset MLFLOW_TRACKING_SERVER_CERT_PATH, or correct it",
        ) from error


def error_of(content: bytes) -> tuple[str, str] | None:
    """Code and message of an error of MLflow's: JSON with ``error_code`` and ``message``. None where it is not that."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or "error_code" not in said:
        return None
    return str(said["error_code"])[:80], str(said.get("message", ""))[:300]


def addresses(uri: str) -> tuple[httpx.URL, httpx.URL]:
    """The address of a server as it was given, and the one below which its calls stand, without user and password.

    Raises:
        UsageError: the text is no address of a server.
    """
    try:
        url = httpx.URL(uri)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _no_address("it cannot be parsed") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _no_address("it needs http:// or https:// and a host")
    return url, url.copy_with(userinfo=b"", path=url.path.rstrip("/") + "/", query=None, fragment=None)


def _no_address(why: str) -> UsageError:
    # The text itself may hold a password, so it is not repeated.
    return UsageError(
        "this is not the address of a tracking server",
        why=why,
        next_command="give one such as http://127.0.0.1:5000, sqlite:///mlflow.db or file:mlruns",
    )
