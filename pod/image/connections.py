"""Connections to registries: parts of a URL, and the connections that wait for the next request to a server."""

from __future__ import annotations

from _thread import allocate_lock

from pod.base.records import Record
from pod.image import failures
from pod.image import wire as wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from pod.image.wire import Proxy, Wire

_MOST_IDLE = 8
_PORTS = {"http": 80, "https": 443}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


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
        usual = _PORTS[self.scheme]
        return self.shown_host if self.port == usual else f"{self.shown_host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


class Connections:
    """Connections in use, and idle ones for the next request to the same server. Used by several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: dict[Any, list[Wire]] = {}
        self._contexts: dict[Any, ssl.SSLContext] = {}
        self._used: set[Wire] = set()
        self._lock = allocate_lock()
        self._closed = False

    def take(
        self,
        target: Url,
        proxy: Proxy | None,
        *,
        insecure: bool,
        names: tuple[str, ...],
        fresh: bool = False,
    ) -> Wire:
        """A connection to a server, which `give_back` takes; used before unless `fresh`. `names` are what else it is
        called, for its certificates; without any, it is not the registry itself but a place that it redirects to.

        Raises RegistryError.
        """
        key = (target.scheme, target.host, target.port, insecure)
        wire = (None if fresh else self._quiet(key)) or self._made(key, target, proxy, names)
        wire.set_limit(self._settings.idle_seconds)
        self._used.add(wire)
        return wire

    def give_back(self, wire: Wire, *, can_stay: bool) -> None:
        """Keep it for the next request, or close it."""
        with self._lock:
            self._used.discard(wire)
            idle = self._idle.setdefault(wire.key, [])
            if can_stay and not self._closed and len(idle) < _MOST_IDLE:
                idle.append(wire)
                return
        wire.close()

    def shut_down(self) -> None:
        """Let all that is under way end at once."""
        for wire in list(self._used):
            wire.shut_down()

    def close(self) -> None:
        """Close what is idle, and what will be."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, {}
        for kept in idle.values():
            for wire in kept:
                wire.close()

    def _quiet(self, key: Any) -> Wire | None:
        """An idle connection that the server has not ended meanwhile."""
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                wire = idle.pop()
            if wire.is_quiet():
                return wire
            wire.close()

    def _made(self, key: Any, target: Url, proxy: Proxy | None, names: tuple[str, ...]) -> Wire:
        seconds, context = self._settings.connect_seconds, None
        if target.scheme == "https":
            with self._lock:
                context = self._contexts.get(key)
                if context is None:
                    context = self._contexts[key] = self._context(target, key[-1], names)
        shown = target.authority
        if proxy is None:
            made = wires.connect(target.host, target.port, shown, context, seconds)
        else:
            made = wires.connect_through(proxy, target.host, target.port, shown, context, seconds)
        made.key = key
        return made

    def _context(self, target: Url, insecure: bool, names: tuple[str, ...]) -> ssl.SSLContext:
        from pod.image import tls  # heavy

        known = (*names, target.authority, f"{target.shown_host}:{target.port}")
        return tls.context_for(
            tuple(dict.fromkeys(known)),
            verify=not insecure,
            directory=self._settings.cert_dir if names else None,
        )


def parse_url(text: str) -> Url:
    """An http or https URL. Raises UnexpectedAnswer for anything else: URLs come from servers."""
    url = _parsed(text)
    if url is None:
        raise failures.UnexpectedAnswer(text[:100], "it is no http or https address")
    return url


def _parsed(text: str) -> Url | None:
    scheme, _, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    host, colon, port = authority.partition(":")
    is_plain = bool(
        scheme in _PORTS
        and host
        and _PLAIN.issuperset(host)
        and (not colon or (port.isdecimal() and port.isascii() and len(port) <= 5))
        and int(port or 0) < 65536
        and path.isascii()
        and path.isprintable()
        and not (" " in path or "#" in path or path.endswith("?"))
    )
    if not is_plain:
        return _parsed_by_library(text)
    return Url(scheme, host, int(port or 0) or _PORTS[scheme], f"/{path}")


def _parsed_by_library(text: str) -> Url | None:
    """The same of any URL; its module takes longer to import than a request to send."""
    from urllib.parse import urlsplit  # heavy

    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host:
        return None
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    if not path.isascii() or any(c <= " " or c == "\x7f" for c in path + host):
        return None
    return Url(parts.scheme, host, port or _PORTS[parts.scheme], path)


def join_url(base: Url, location: str) -> Url | None:
    """Where a redirect leads; None when that is no http or https address."""
    from urllib.parse import urljoin

    try:
        return _parsed(urljoin(str(base), location))
    except ValueError:
        return None
