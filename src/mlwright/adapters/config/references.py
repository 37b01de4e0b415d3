"""Values that stand for others: ``env:NAME``, ``file:PATH``, and paths relative to the project."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlwright.errors import Fault, near_match

_SQLITE = "sqlite:///"
_POSTGRES = "postgresql+psycopg://"
_FORMS = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"


class Resolver:
    """Resolves the references of one file and keeps what could not be resolved.

    A fault never shows the value behind a reference: it may be a secret.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.faults: list[Fault] = []
        self._environment = environment

    def folder(self, text: str) -> Path:
        """A folder relative to the project."""
        return self.root / text

    def database(self, text: str | None, state: Path) -> str:
        """An SQLAlchemy URL: ``postgresql://`` gets the driver that mlwright ships, SQLite paths a root."""
        where = "storage.database"
        if text is None:
            return f"{_SQLITE}{state / 'mlwright.db'}"
        url = self._resolve(text, where)
        for short in ("postgresql://", "postgres://"):
            if url.startswith(short):
                url = _POSTGRES + url.removeprefix(short)
        if url.startswith(_SQLITE):
            file = url.removeprefix(_SQLITE)
            if not file or file.startswith(":memory:"):
                self._fault(where, "a database in memory is gone after each command; name a file")
            return f"{_SQLITE}{self.root / file}"
        if not url.startswith(_POSTGRES) and url:
            scheme = url.partition("://")[0] if "://" in url else ""
            near = near_match(scheme, ("sqlite", "postgresql+psycopg")) if scheme else None
            self._fault(where, f"is not a database that can be used; write {_FORMS}", near)
        return url

    def artifacts(self, text: str | None, state: Path) -> str:
        """A folder, made absolute, or an fsspec URL as it is."""
        if text is None:
            return str(state / "artifacts")
        target = self._resolve(text, "storage.artifacts")
        return target if "://" in target else str(self.root / target)

    def webhook(self, text: str | None, where: str) -> str | None:
        """An http or https URL."""
        if text is None:
            return None
        url = self._resolve(text, where)
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            self._fault(where, "is not an http or https URL")
        return url

    def channel(self, kind: str, text: str | None, where: str) -> str | None:
        """Where alerts are sent: http or https, for e-mail smtp or smtps."""
        if kind != "email" or text is None:
            return self.webhook(text, where)
        url = self._resolve(text, where)
        if url and (urlsplit(url).scheme not in ("smtp", "smtps") or not urlsplit(url).hostname):
            self._fault(where, "is not smtp://HOST:PORT or smtps://HOST:PORT")
        return url

    def secret(self, text: str | None, where: str) -> str | None:
        """A secret, which only a reference may stand for."""
        if text is None:
            return None
        if not text.startswith(("env:", "file:")):
            self._fault(where, "is a secret: keep it elsewhere, and write env:NAME or file:PATH")
            return None
        return self._resolve(text, where)

    def server(self, text: str, *, token: bool) -> str:
        """The address of a tracking server. A token goes in the clear to nobody but this machine."""
        url = self.webhook(text, "tracking.uri") or ""
        parts = urlsplit(url)
        if token and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            self._fault("tracking.token", "would be sent in the clear: use https, or http on this machine")
        if "@" in parts.netloc and url == text:
            self._fault("tracking.uri", "holds a user or password: keep it elsewhere, and write env:NAME")
        return url

    def try_all(self, raw: Mapping[str, object]) -> None:
        """Collect the faults of all references in a file whose shape has faults too."""
        storage = raw.get("storage")
        storage = storage if isinstance(storage, dict) else {}
        for key, resolve in (("database", self.database), ("artifacts", self.artifacts)):
            if isinstance(text := storage.get(key), str):
                resolve(text, self.root)
        tracking = raw.get("tracking")
        said = tracking.get("uri") if isinstance(tracking, dict) else tracking
        if isinstance(said, str):
            self.server(said, token=False)
        listed = raw.get("notify")
        for number, table in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(table, dict) and isinstance(url := table.get("url"), str):
                self.channel(str(table.get("kind")), url, f"notify[{number}].url")
            if isinstance(table, dict) and isinstance(held := table.get("key"), str):
                self.secret(held, f"notify[{number}].key")

    def _resolve(self, text: str, where: str) -> str:
        if text.startswith("env:"):
            name = text.removeprefix("env:")
            value = self._environment.get(name, "")
            if not value:
                near = near_match(name, self._environment)
                self._fault(where, f"the environment variable {name} is not set", near)
            return value
        if text.startswith("file:") and not text.startswith("file://"):
            path = self.root / text.removeprefix("file:")
            try:
                return path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not text"
                self._fault(where, f"the file {path} cannot be read: {reason}")
                return ""
        return text

    def _fault(self, where: str, what: str, near: str | None = None) -> None:
        self.faults.append(Fault(where=where, what=what, near=near))
