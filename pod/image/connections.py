"""Connections to registries: parts of a URL, and what is idle of each server's connections."""

from __future__ import annotations

import threading

from pod.base.records import Record
from pod.image import failures, tls
from pod.image.dial import dial
from pod.image.wire import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    _Server = tuple[str, str, int, bool]

_MOST_IDLE = 8  # for each server


class Settings(Record):
    """How to connect. `cert_dir` replaces all certs.d. `retry_delay_seconds` None doubles from one second on."""

    retries: int = 3
    retry_delay_seconds: float | None = None
    connect_seconds: float = 10
    idle_seconds: float = 60
    cert_dir: str | None = None


class Url(Record):
    """The parts of a URL that decide where a request goes."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown_host(self) -> str:
        """The host as URLs have it: IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        usual = 443 if self.scheme == "https" else 80
        return self.shown_host if self.port == usual else f"{self.shown_host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


class Connections:
    """Connections that are open and idle, and new ones. Used by several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: dict[_Server, list[Connection]] = {}
        self._contexts: dict[_Server, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def take(
        self, target: Url, proxy: str, *, insecure: bool, names: tuple[str, ...]
    ) -> Connection:
        """A connection to a server, or to the proxy for it. `names` are what else it is called, for its certificates;
        without any, it is not the registry itself but a place that it redirects to.

        Raises RegistryError.
        """
        server = _server(target, insecure)
        with self._lock:
            idle = self._idle.get(server, [])
            while idle:
                connection = idle.pop()
                if not connection.is_stale():
                    return connection
                connection.close()
        context = self._context(target, insecure, names) if target.scheme == "https" else None
        stream = dial(target, proxy, context, self._settings.connect_seconds)
        stream.settimeout(self._settings.idle_seconds)
        return Connection(stream)

    def give_back(self, target: Url, connection: Connection, *, insecure: bool) -> None:
        """Keep a connection that is idle now."""
        with self._lock:
            idle = self._idle.setdefault(_server(target, insecure), [])
            if len(idle) < _MOST_IDLE:
                idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            for idle in self._idle.values():
                for connection in idle:
                    connection.close()
            self._idle.clear()

    def _context(self, target: Url, insecure: bool, names: tuple[str, ...]) -> ssl.SSLContext:
        server = _server(target, insecure)
        with self._lock:
            if server not in self._contexts:
                known = (*names, target.authority, f"{target.shown_host}:{target.port}")
                self._contexts[server] = tls.context_for(
                    tuple(dict.fromkeys(known)),
                    verify=not insecure,
                    directory=self._settings.cert_dir if names else None,
                )
            return self._contexts[server]


def _server(target: Url, insecure: bool) -> _Server:
    return target.scheme, target.host, target.port, insecure


def parse_url(text: str) -> Url:
    """An http or https URL. Raises UnexpectedAnswer for anything else: URLs come from servers."""
    url = _parsed(text)
    if url is None:
        raise failures.UnexpectedAnswer(text[:100], "it is no http or https address")
    return url


def _parsed(text: str) -> Url | None:
    from urllib.parse import urlsplit  # heavy

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    if not path.isascii() or any(c <= " " or c == "\x7f" for c in path + parts.hostname):
        return None
    return Url(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)


def join_url(base: Url, location: str) -> Url | None:
    """Where a redirect leads; None when that is no http or https address."""
    from urllib.parse import urljoin

    try:
        return _parsed(urljoin(str(base), location))
    except ValueError:
        return None
